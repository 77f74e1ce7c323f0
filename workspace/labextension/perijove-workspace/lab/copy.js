// "Copy to my folder": the way from an example to work of one's own.
//
// Where a copy goes is decided by the server (workspace/contents.py), which answers a plain
// "Duplicate" of a read-only file in the same way.

const COPY = 'perijove:copy-to-my-folder';
const EXPLAIN = 'perijove:explain-read-only';

// Returns the function that copies a path to the user's own folder and opens the copy.
//
// An open document takes its unsaved changes with it and is closed, so that one document of this
// name is open, and one kernel runs; unless its kernel is at work.
export function createCopier(app, documents, Notification) {
  async function copy(path) {
    Notification.dismiss(explained);
    const made = await documents.duplicate(path);
    const original = documents.findWidget(path, null);
    if (original) {
      await takeChanges(original, made.path);
    }
    await app.commands.execute('filebrowser:go-to-path', { path: made.path });
    if (made.type === 'directory') {
      return;
    }
    documents.openOrReveal(made.path, 'default', undefined, original ? { ref: original.id } : {});
    if (original && kernelOf(original)?.status !== 'busy') {
      await close(original);
    }
  }

  async function takeChanges(original, path) {
    const { model, contentsModel } = documents.contextForWidget(original);
    if (model.dirty) {
      const { type, format } = contentsModel;
      const content = format === 'json' ? model.toJSON() : model.toString();
      await documents.services.contents.save(path, { type, format, content });
    }
  }

  async function close(original) {
    const { model, path } = documents.contextForWidget(original);
    model.dirty = false; // its changes are in the copy
    await documents.closeFile(path);
    await documents.services.sessions.stopIfNeeded(path);
  }

  return path =>
    copy(path).catch(error => {
      Notification.error(`The copy could not be made: ${error.message}`, { autoClose: false });
    });
}

// Adds the entry to the file browser's context menu, and the answer to Ctrl+S in read-only files.
export function addCopyCommands(app, documents, browsers, Notification, copy) {
  const selected = () => [...(browsers?.tracker.currentWidget?.selectedItems() ?? [])];

  app.commands.addCommand(COPY, {
    label: 'Copy to My Folder',
    caption: 'Copy to your own folder and open the copy',
    isVisible: () => selected().length > 0 && selected().every(isExample),
    execute: () => Promise.all(selected().map(item => copy(item.path)))
  });
  app.contextMenu.addItem({ command: COPY, selector: '.jp-DirListing-item', rank: 0 });

  app.commands.addCommand(EXPLAIN, {
    label: 'Explain Why This File Cannot Be Saved',
    isVisible: () => false,
    execute: () => {
      const { path } = documents.contextForWidget(app.shell.currentWidget);
      Notification.info('This file is read-only. Your changes can go into your own copy.', {
        autoClose: 8000,
        actions: [
          { label: 'Copy to my folder', displayType: 'accent', callback: () => copy(path) }
        ]
      });
    }
  });
  app.commands.addKeyBinding({
    command: EXPLAIN,
    keys: ['Accel S'],
    selector: '.pj-mod-readOnly'
  });
}

function isExample(item) {
  return item.path.startsWith('examples/');
}

function kernelOf(widget) {
  return widget.context.sessionContext?.session?.kernel;
}
