"""Which kernels a workspace has: the store's first, then the user's own.

The store is read at each call, so a kernel is there the moment it is published; nothing is
cached, and nobody waits for conda (see `conda_kernels`). The server's own Python is not a kernel:
its environment belongs to the platform, not to a project. A listing reads each folder once
(clients, projects, kernels) and each kernel.json once. Their paths are text: `pathlib` was a third
of a listing.
"""

import json
import os
import sys
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_core.paths import jupyter_path
from traitlets import TraitError, Unicode, default

from workspace.conda_kernels import Specs, find_conda_kernels
from workspace.names import pinned_name, project_of

_DEFAULTS: dict[str, Any] = KernelSpec().to_dict()
_INTERRUPT_MODES = ("signal", "message")


class StoreKernelSpecManager(KernelSpecManager):
    """Finds kernels in the store, in the user's and the machine's kernel directories, in conda.

    A name that the store has is the store's: no other directory can stand in for it, even while
    the store's kernel cannot be read. The names that nb_conda_kernels gave to environments of the
    store resolve but are not listed.
    """

    store = Unicode(
        config=True,
        help="""The directory where the published store stands in a workspace, read-only. Holds
        <client>/<project>/kernels/<kernel>/kernel.json of the projects that the user may use.
        The default is the environment variable PERIJOVE_STORE, or /opt/perijove.""",
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._reported: dict[str, str] = {}  # broken kernels, each said once
        self._conda = find_conda_kernels(self, Path(self.store))

    @default("store")
    def _store_default(self) -> str:
        return os.environ.get("PERIJOVE_STORE", "/opt/perijove")

    @default("ensure_native_kernel")
    def _ensure_native_kernel_default(self) -> bool:
        return False

    @default("kernel_dirs")
    def _kernel_dirs_default(self) -> list[str]:
        servers_own = str(Path(sys.prefix, "share", "jupyter", "kernels"))
        return [path for path in jupyter_path("kernels") if path != servers_own]

    def find_kernel_specs(self) -> dict[str, str]:
        """Return the directory of every kernel by name, without those that lack a kernel.json."""
        return {
            name: directory
            for name, directory in self._directories().items()
            if Path(directory, "kernel.json").is_file()
        } | {name: model["resource_dir"] for name, model in self._own_environments().items()}

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return the kernel of this name, or of this name under nb_conda_kernels.

        Raises NoSuchKernel where there is none, or none that can be read.
        """
        name = pinned_name(kernel_name) or kernel_name.lower()
        directory = self._store_directory(name) or dict(self._others()).get(name)
        fields = self._load(name, directory) if directory and self._is_allowed(name) else None
        if fields is not None:
            return self.kernel_spec_class(resource_dir=directory, **fields)
        own = self._own_environments().get(kernel_name)
        if own is None:
            raise NoSuchKernel(kernel_name)
        return self.kernel_spec_class(resource_dir=own["resource_dir"], **own["spec"])

    def get_all_specs(self) -> dict[str, Any]:
        """Return every kernel that can be read, by name.

        Complete models (with `name` and `resources`), so that Jupyter Server answers the browser
        without a thread and three more looks at the disk for each kernel.
        """
        models = {}
        for name, directory in self._directories().items():
            fields = self._load(name, directory)
            if fields is not None:
                models[name] = {
                    "name": name,
                    "resource_dir": directory,
                    "spec": fields,
                    "resources": self._resources(name, directory),
                }
        for name, model in self._own_environments().items():
            models[name] = {
                "name": name,
                **model,
                "resources": self._resources(name, model["resource_dir"]),
            }
        return models

    def refresh_conda_kernels(self) -> None:
        """Start to ask conda for people's own environments, where there is conda."""
        if self._conda:
            self._conda.refresh()

    def _own_environments(self) -> Specs:
        """Return the kernels of conda's environments that are known; the store's names are its."""
        known = self._conda.specs() if self._conda else {}
        return {
            name: known[name]
            for name in known
            if self._is_allowed(name) and not self._is_published(pinned_name(name))
        }

    def _is_published(self, pinned: str | None) -> bool:
        return pinned is not None and self._store_directory(pinned) is not None

    def _directories(self) -> dict[str, str]:
        """Return the directory of every kernel that may be shown; the store's names come first."""
        found = dict(self._published())
        for name, directory in self._others():
            found.setdefault(name, directory)
        return {name: found[name] for name in found if self._is_allowed(name)}

    def _is_allowed(self, name: str) -> bool:
        return not self.allowed_kernelspecs or name in self.allowed_kernelspecs

    def _published(self) -> Iterator[tuple[str, str]]:
        """Yield name and directory of the store's kernels, only under names that are theirs."""
        for client in _folders(self.store):
            for project in _folders(f"{self.store}/{client}"):
                kernels = f"{self.store}/{client}/{project}/kernels"
                for kernel in _folders(kernels):
                    if project_of(kernel) == (client, project):
                        yield kernel, f"{kernels}/{kernel}"

    def _store_directory(self, name: str) -> str | None:
        """Return the directory of the store's kernel of this name, without a listing."""
        project = project_of(name)
        if project is None:
            return None
        directory = Path(self.store, *project, "kernels", name)
        return str(directory) if directory.is_dir() else None

    def _others(self) -> Iterator[tuple[str, str]]:
        """Yield name and directory of the kernels outside the store, the first of a name only."""
        seen = set()
        for kernel_dir in self.kernel_dirs:
            for kernel in _folders(kernel_dir):
                if kernel.lower() not in seen:
                    seen.add(kernel.lower())
                    yield kernel.lower(), f"{kernel_dir}/{kernel}"

    def _load(self, name: str, directory: str) -> dict[str, Any] | None:
        """Return what a kernel.json says, or None, said once in the log, if it is broken."""
        path = f"{directory}/kernel.json"
        try:
            fields = _load_fields(path)
            if not self._is_startable(fields):
                return None
        except FileNotFoundError:
            return None  # not published yet, or withdrawn a moment ago
        except (OSError, ValueError, TraitError) as error:
            self._report(path, f"Kernel {name} is left out: {path}: {error}")
            return None
        self._reported.pop(path, None)
        return fields

    def _is_startable(self, fields: dict[str, Any]) -> bool:
        """Return whether the kernel's provisioner, if it names one, is installed here."""
        if "kernel_provisioner" not in fields["metadata"]:
            return True
        factory = KernelProvisionerFactory.instance(parent=self.parent)
        startable: bool = factory.is_provisioner_available(self.kernel_spec_class(**fields))
        return startable

    def _report(self, path: str, message: str) -> None:
        if self._reported.get(path) != message:
            self._reported[path] = message
            self.log.warning(message)

    def _resources(self, name: str, directory: str) -> dict[str, str]:
        """Return the addresses of a kernel's logos, by their names without ending."""
        base_url = getattr(self.parent, "base_url", "/")
        return {
            Path(file).stem: f"{base_url}kernelspecs/{name}/{file}"
            for file in _files(directory)
            if file.startswith("logo-")
        }


def _load_fields(path: str) -> dict[str, Any]:
    """Return the fields of a kernel.json, with Jupyter's defaults for those it leaves out.

    Raises ValueError, naming the field, if it is not a kernelspec, OSError if it cannot be read.
    """
    with open(path, "rb") as file:  # noqa: PTH123 - a listing reads them by the hundred
        content = json.load(file)
    if not isinstance(content, dict):
        raise ValueError(f"expected an object, found {type(content).__name__}")  # noqa: TRY004
    fields = {
        key: content[key] if key in content else copy(usual) for key, usual in _DEFAULTS.items()
    }
    for key, usual in _DEFAULTS.items():
        if type(fields[key]) is not type(usual):
            expected, found = type(usual).__name__, type(fields[key]).__name__
            raise ValueError(f"{key}: expected {expected}, found {found}")
    if not fields["argv"]:
        raise ValueError("argv: expected a command, found none")
    if fields["interrupt_mode"] not in _INTERRUPT_MODES:
        raise ValueError(
            f"interrupt_mode: expected signal or message, found {fields['interrupt_mode']}"
        )
    return fields


def _folders(path: str) -> list[str]:
    """Return the sorted names of the folders in a folder; none if it is missing or not ours."""
    try:
        with os.scandir(path) as entries:
            return sorted(e.name for e in entries if e.name[0] != "." and e.is_dir())
    except OSError:
        return []


def _files(path: str) -> list[str]:
    """Return the sorted names of all that is in a folder; none if it is gone."""
    try:
        with os.scandir(path) as entries:
            return sorted(e.name for e in entries)
    except OSError:
        return []
