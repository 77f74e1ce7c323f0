"""The settings of every workspace's Jupyter server, for `--config` or a Jupyter config directory.

Each line has its reason; what is not here keeps Jupyter's default. The root directory is left to
whoever starts the server: it is the user's home.
"""

import os
import sys
import tempfile
from pathlib import Path

c = get_config()  # type: ignore[name-defined]  # noqa: F821
_here = Path(__file__).resolve().parent

# This package is mounted alone and not installed. Not by PYTHONPATH: kernels would inherit it.
sys.path.append(str(_here.parent))

# Terminals and notebooks find `perijove`, people's own command, which runs on the server's Python.
os.environ["PATH"] = f"{_here / 'bin'}:{os.environ.get('PATH', '/usr/local/bin:/usr/bin:/bin')}"
os.environ["PERIJOVE_SERVER_PYTHON"] = sys.executable

# The store's kernels first; notebooks open with the kernel they mean; copies can be worked on.
c.ServerApp.kernel_spec_manager_class = "workspace.kernelspecs.StoreKernelSpecManager"
c.ServerApp.contents_manager_class = "workspace.contents.WorkspaceContentsManager"

# Kernels listen on sockets in a private folder, not on ports that others on the machine can reach.
# A socket's path may have 107 bytes, of which Jupyter's file names take 50: a home can be too deep.
c.KernelManager.transport = "ipc"
if "JUPYTER_RUNTIME_DIR" not in os.environ:
    os.environ["JUPYTER_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="jupyter-")

# Whose kernel was ended because the workspace ran out of memory is told so.
c.AsyncIOLoopKernelManager.restarter_class = "workspace.restarter.WorkspaceKernelRestarter"

# The first lets pages hear of that, the second asks conda as soon as the server has started. The
# last one's search for language servers runs npm at every start, and no workspace has any.
c.ServerApp.jpserver_extensions = {
    "workspace.restarter": True,
    "workspace.conda_kernels": True,
    "jupyter_lsp": False,
}

# Files whose names begin with a dot hold settings and secrets; a terminal shows them.
c.ContentsManager.allow_hidden = False

# The page that redirects a local browser holds the token, and nobody here opens it.
c.ServerApp.use_redirect_file = False

# Our extension of JupyterLab, and what its pages are told: `labconfig/page_config.json`.
c.LabApp.extra_labextensions_path = [str(_here / "labextension")]
c.LabApp.app_settings_dir = str(_here / "labconfig")

# No call leaves the workspace: no news, no look for updates, no extensions to install. The page
# asks for none of it either, nor whether JupyterLab should be rebuilt (see page_config.json).
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.extension_manager = "readonly"
