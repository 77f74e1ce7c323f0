// How JupyterLab loads this extension: a module federation container, written by hand, no build.
//
// JupyterLab runs this file, calls `init` with its shared packages, then `get` with the names from
// package.json. The rest are plain ES modules, imported from beside this file. They do not lie in a
// folder named `static`: Jupyter would tell browsers to keep those for a year.

(() => {
  const here = document.currentScript.src;
  let packages;

  // One of JupyterLab's own packages: the same instance that JupyterLab uses, never a copy.
  async function shared(name) {
    const versions = Object.values(packages[name]);
    const provided = versions.find(version => version.from === 'CORE_FEDERATION') ?? versions[0];
    return (await provided.get())();
  }

  const modules = {
    './extension': async () => {
      const { plugins } = await import(new URL('plugins.js', here));
      return { __esModule: true, default: await plugins(shared) };
    },
    './style': async () => {
      const link = document.createElement('link');
      link.rel = 'stylesheet';
      link.href = new URL('style.css', here);
      document.head.append(link);
      return {};
    }
  };

  window._JUPYTERLAB = window._JUPYTERLAB ?? {};
  window._JUPYTERLAB['perijove-workspace'] = {
    init: sharedPackages => {
      packages = sharedPackages;
    },
    get: async name => {
      const module = await modules[name]();
      return () => module;
    }
  };
})();
