// Runs a cell once its kernel is there.
//
// JupyterLab drops a cell, without a word, that is run in the second before its notebook has a
// kernel: "Shift+Enter" right after opening a notebook or copying an example did nothing.

const LIMIT_MS = 30_000; // then JupyterLab has its own say: it asks for a kernel

export function createPatientExecutor(runCell) {
  return Object.freeze({
    runCell: async options => {
      const { cell, sessionContext } = options;
      if (cell.model.type === 'code' && isInitializing(sessionContext)) {
        cell.model.executionState = 'running'; // shown as [*]
        await initialized(sessionContext);
      }
      return runCell(options);
    }
  });
}

function isInitializing(context) {
  return context && !context.isDisposed && context.kernelDisplayStatus === 'initializing';
}

function initialized(context) {
  const signals = [context.kernelChanged, context.statusChanged, context.disposed];
  return new Promise(resolve => {
    const end = () => {
      clearTimeout(limit);
      signals.forEach(signal => signal.disconnect(look));
      resolve();
    };
    const look = () => {
      if (!isInitializing(context)) {
        end();
      }
    };
    const limit = setTimeout(end, LIMIT_MS);
    signals.forEach(signal => signal.connect(look));
    context.ready.then(look, look);
  });
}
