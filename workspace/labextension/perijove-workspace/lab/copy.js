// "Copy to my folder": the way from an example to work of one's own.
//
// Where a copy goes is decided by the server (workspace/contents.py), which answers a plain
// "Duplicate" of a read-only file in the same way.

// Returns the function that copies a path to the user's own folder and opens the copy.
//
// An open document takes its unsaved changes with it and is closed, so that one document of this
// name is open, and one kernel runs; unless its kernel is at work.
export function createCopier(app, documents, Notification) {
  async function copy(path) {
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

// Adds the entry for examples to the file browser's context menu.
export function addMenuEntry(app, browsers, copy) {
  const command = 'perijove:copy-to-my-folder';
  const selected = () => [...(browsers?.tracker.currentWidget?.selectedItems() ?? [])];

  app.commands.addCommand(command, {
    label: 'Copy to My Folder',
    caption: 'Copy to your own folder and open the copy',
    isVisible: () => selected().length > 0 && selected().every(isExample),
    execute: () => Promise.all(selected().map(item => copy(item.path)))
  });
  app.contextMenu.addItem({ command, selector: '.jp-DirListing-item', rank: 0 });
}

function isExample(item) {
  return item.path.startsWith('examples/');
}

function kernelOf(widget) {
  return widget.context.sessionContext?.session?.kernel;
}
