"""How the files of a home are read and copied: notebooks with their kernel, examples to work on.

Two promises beyond Jupyter Server's own: a notebook that names an environment of nb_conda_kernels
opens with the pinned kernel of that version; and what is made in a read-only folder (a copy, a new
notebook) goes to the user's own `work/` folder and is writable. The front end asks for nothing
special, so a plain "Duplicate" keeps the second promise too.
"""

# mypy: disable-error-code="no-untyped-call"
# Jupyter Server's contents manager is untyped.

import asyncio
import stat
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import NoSuchKernel
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from workspace.names import own_folder, pinned_name


class WorkspaceContentsManager(AsyncLargeFileManager):
    """The files of the user's home, as JupyterLab sees them."""

    async def get(
        self,
        path: str,
        content: bool = True,
        type: str | None = None,  # noqa: A002 # the names are Jupyter Server's
        format: str | None = None,  # noqa: A002
        require_hash: bool = False,
    ) -> dict[str, Any]:
        """Return a file's model; a notebook's kernel is one that the workspace has, if it can be.

        The file itself is not touched: its hash stays that of the bytes on disk.
        """
        model: dict[str, Any] = await super().get(path, content, type, format, require_hash)
        if model["type"] == "notebook" and model["content"] is not None:
            self._name_kernel(model["content"]["metadata"].get("kernelspec", {}))
        return model

    async def new_untitled(
        self,
        path: str = "",
        type: str = "",  # noqa: A002
        ext: str = "",
    ) -> dict[str, Any]:
        """Make a new file in a folder, or in the user's own folder for it if it is read-only."""
        made: dict[str, Any] = await super().new_untitled(await self._writable(path), type, ext)
        return made

    async def copy(self, from_path: str, to_path: str | None = None) -> dict[str, Any]:
        """Copy a file or folder; into the user's own folder if the target folder is read-only."""
        if to_path is None:
            to_path = from_path.strip("/").rpartition("/")[0]
        if await self.dir_exists(to_path):
            to_path = await self._writable(to_path)
        copied: dict[str, Any] = await super().copy(from_path, to_path)
        return copied

    async def _copy_dir(
        self, from_path: str, to_path_original: str, to_name: str, to_path: str
    ) -> dict[str, Any]:
        await super()._copy_dir(from_path, to_path_original, to_name, to_path)
        await asyncio.to_thread(_make_writable, Path(self._get_os_path(to_path)))
        return await self.get(to_path, content=False)

    async def _writable(self, folder: str) -> str:
        """Return the folder, or the user's own folder for it, made if missing."""
        if not await self.dir_exists(folder) or self.is_writable(folder):
            return folder
        folder = own_folder(folder)
        made = Path(self._get_os_path(folder))
        with self.perm_to_403(folder):
            await asyncio.to_thread(made.mkdir, parents=True, exist_ok=True)
        return folder

    def _name_kernel(self, kernelspec: dict[str, Any]) -> None:
        """Replace a name of nb_conda_kernels by the pinned kernel's, if the workspace has it."""
        pinned = pinned_name(str(kernelspec.get("name", "")))
        if pinned is None:
            return
        try:
            spec = self.parent.kernel_spec_manager.get_kernel_spec(pinned)  # type: ignore[union-attr]
        except NoSuchKernel:
            return
        kernelspec.update(name=pinned, display_name=spec.display_name)


def _make_writable(root: Path) -> None:
    """Give the owner write permission on a folder and all that is in it; links are not followed."""
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | stat.S_IWUSR)
