// The plugins that JupyterLab activates: wiring only.

import { addMenuEntry, createCopier } from './copy.js';
import { followPublishedKernels, hidePinnedKernels, sayWhenThereIsNoProject } from './launcher.js';
import { sayWhenMemoryRanOut } from './memory.js';
import { followNewFiles } from './newfiles.js';
import { answerSave, createMarker } from './readonly.js';
import { createPatientExecutor } from './running.js';

export async function plugins(shared) {
  const [docmanager, filebrowser, launcher, apputils, notebook, widgets] = await Promise.all([
    shared('@jupyterlab/docmanager'),
    shared('@jupyterlab/filebrowser'),
    shared('@jupyterlab/launcher'),
    shared('@jupyterlab/apputils'),
    shared('@jupyterlab/notebook'),
    shared('@lumino/widgets')
  ]);

  const examples = {
    id: 'perijove-workspace:examples',
    description: 'Leads from read-only documents to a copy in the own folder.',
    autoStart: true,
    requires: [docmanager.IDocumentManager, docmanager.IDocumentWidgetOpener],
    optional: [filebrowser.IFileBrowserFactory],
    activate: (app, documents, opener, browsers) => {
      const copy = createCopier(app, documents, apputils.Notification);
      const mark = createMarker(documents, widgets.Widget, copy);
      opener.opened.connect((_, widget) => mark(widget));
      answerSave(app, documents, apputils.Notification, copy);
      addMenuEntry(app, browsers, copy);
      followNewFiles(app);
    }
  };

  const kernels = {
    id: 'perijove-workspace:launcher',
    description: 'Shows each project once in the launcher, as soon as it is published.',
    autoStart: true,
    requires: [launcher.ILauncher],
    activate: (app, model) => {
      hidePinnedKernels(model);
      followPublishedKernels(app.serviceManager.kernelspecs);
      sayWhenThereIsNoProject(app.serviceManager.kernelspecs);
    }
  };

  const memory = {
    id: 'perijove-workspace:memory',
    description: 'Says that a kernel was ended for lack of memory.',
    autoStart: true,
    activate: app => sayWhenMemoryRanOut(app.serviceManager.events, apputils.Notification)
  };

  const running = {
    id: 'perijove-workspace:running',
    description: 'Runs a cell once its kernel is there. In place of the plugin that page_config disables.',
    autoStart: true,
    provides: notebook.INotebookCellExecutor,
    activate: () => createPatientExecutor(notebook.runCell)
  };

  return [examples, kernels, memory, running];
}
