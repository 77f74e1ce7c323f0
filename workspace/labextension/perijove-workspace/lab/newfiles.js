// New files where none can be made: the server puts them into the user's own folder, and tells.
//
// JupyterLab takes it for granted that a new file lies in the folder that was asked for; here it
// learns where the file is, and the file browser goes there.

export function followNewFiles(app) {
  const contents = app.serviceManager.contents;
  const newUntitled = contents.newUntitled.bind(contents);

  contents.newUntitled = async options => {
    const made = await newUntitled(options);
    const path = made.serverPath ?? made.path;
    if (path === made.path || contents.driveName(made.path)) {
      return made;
    }
    const folder = path.slice(0, path.lastIndexOf('/'));
    await app.commands.execute('filebrowser:go-to-path', { path: folder, dontShowBrowser: true });
    return { ...made, path };
  };
}
