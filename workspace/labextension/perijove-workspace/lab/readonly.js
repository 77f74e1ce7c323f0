// What a person meets in a document that cannot be saved: a banner, a calm answer to Ctrl+S, and no
// question about saving what they did not change.

const MARK = 'pj-mod-readOnly';

// Returns the function that does all this for a document widget, if its file is read-only.
export function createMarker(documents, Widget, copy) {
  return async widget => {
    const context = documents.contextForWidget(widget);
    await context?.ready;
    if (context?.contentsModel?.writable !== false || widget.hasClass(MARK)) {
      return;
    }
    widget.addClass(MARK);
    widget.contentHeader.addWidget(
      new Widget({ node: createBanner(context.path, () => copy(context.path)) })
    );
    if (context.contentsModel.type === 'notebook') {
      forgiveTheKernel(context.model);
    }
  };
}

// Adds the answer to Ctrl+S: nothing is lost, and here is the way to keep it.
export function answerSave(app, documents, Notification, copy) {
  const command = 'perijove:explain-read-only';
  let shown = '';

  app.commands.addCommand(command, {
    label: 'Explain Why This File Cannot Be Saved',
    isVisible: () => false,
    execute: () => {
      const context = documents.contextForWidget(app.shell.currentWidget);
      if (shown) {
        Notification.dismiss(shown); // one answer at a time
      }
      shown = Notification.info('This file is read-only. Your changes can go into your own copy.', {
        autoClose: 8000,
        actions: [
          { label: 'Copy to my folder', displayType: 'accent', callback: () => copy(context.path) }
        ]
      });
      context.disposed.connect(() => Notification.dismiss(shown));
    }
  });
  app.commands.addKeyBinding({ command, keys: ['Accel S'], selector: `.${MARK}` });
}

// A kernel that starts writes its language into the notebook, which counts as a change; on closing,
// JupyterLab would ask an analyst who only looked whether to save.
function forgiveTheKernel(model) {
  const original = contentOf(model);
  const forgive = () => {
    if (model.dirty && contentOf(model) === original) {
      model.dirty = false;
    }
  };
  model.stateChanged.connect(forgive);
  forgive();
}

function contentOf(model) {
  const { cells, metadata } = model.toJSON();
  return JSON.stringify([cells, metadata.kernelspec?.name]);
}

function createBanner(path, onCopy) {
  const banner = document.createElement('div');
  banner.className = 'pj-ReadOnlyBanner';
  banner.setAttribute('role', 'status');

  const text = document.createElement('span');
  const kind = path.startsWith('examples/') ? 'example' : 'file';
  text.textContent = `This is a read-only ${kind}. Work on your own copy.`;

  const button = document.createElement('button');
  button.className = 'jp-mod-styled jp-mod-accept';
  button.textContent = 'Copy to my folder';
  button.addEventListener('click', async () => {
    button.disabled = true; // one click, one copy
    await onCopy();
    button.disabled = false;
  });

  banner.append(text, button);
  return banner;
}
