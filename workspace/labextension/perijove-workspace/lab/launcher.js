// What the launcher offers: each project's stable kernel, as soon as it is published.
//
// Pinned kernels stay in the kernel specs, so notebooks open with them and people can pick them
// from a notebook's kernel menu; they are only left out of the launcher.

const REFRESH_MS = 5000; // JupyterLab itself asks every 61 s; a listing costs the server 6 ms

export function hidePinnedKernels(launcher) {
  const allItems = launcher.items.bind(launcher);
  launcher.items = () =>
    [...allItems()].filter(item => !item.metadata?.kernel?.perijove?.pinned).values();
}

export function followPublishedKernels(kernelspecs) {
  setInterval(() => {
    if (isLauncherVisible()) {
      kernelspecs.refreshSpecs().catch(() => {}); // JupyterLab shows lost connections itself
    }
  }, REFRESH_MS);
}

// Somebody without a project would look at an empty launcher and wonder; style.css has the words.
export function sayWhenThereIsNoProject(kernelspecs) {
  const look = () => {
    const none = Object.keys(kernelspecs.specs?.kernelspecs ?? {}).length === 0;
    document.body.classList.toggle('perijove-no-project', none);
  };
  kernelspecs.specsChanged.connect(look);
  kernelspecs.ready.then(look, look);
}

function isLauncherVisible() {
  const launchers = [...document.querySelectorAll('.jp-Launcher')];
  return !document.hidden && launchers.some(launcher => launcher.offsetParent !== null);
}
