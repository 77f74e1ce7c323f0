"""A person's overlays: what pip put beside a project's environment, for one version and one person.

    ~/.local/share/perijove/overlays/<client>/<project>/v<N>/

is the `PYTHONUSERBASE` of that version's kernels, so the layout inside is pip's own.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

OVERLAYS = ".local/share/perijove/overlays"  # below the home; as in the kernels' PYTHONUSERBASE


@dataclass(frozen=True)
class Package:
    """A package in an overlay; `is_asked_for` is False for what came along with another."""

    name: str
    version: str
    is_asked_for: bool


@dataclass(frozen=True)
class Overlay:
    """The overlay of one version of a project."""

    client: str
    project: str
    version: int
    path: Path

    @property
    def slug(self) -> str:
        """`<client>/<project>`."""
        return f"{self.client}/{self.project}"

    def packages(self) -> list[Package]:
        """What is in it, in the order of the names; of two versions the one that is imported."""
        folders = [str(path) for path in self.path.glob("lib/python*/site-packages")]
        found = {_name(one): one for one in reversed(list(distributions(path=folders)))}
        return [
            Package(name, one.version, is_asked_for=one.read_text("REQUESTED") is not None)
            for name, one in sorted(found.items())
        ]

    def size(self) -> int:
        """What it takes, in bytes."""
        return sum(path.lstat().st_size for path in self.path.rglob("*"))

    def clear(self) -> None:
        """Removes it. Kernels that run keep what they have imported."""
        shutil.rmtree(self.path)


def find_overlays(home: Path) -> list[Overlay]:
    """All overlays that hold a package, by project and version."""
    return [overlay for overlay in _overlays(home / OVERLAYS) if overlay.packages()]


def _overlays(root: Path) -> Iterator[Overlay]:
    for path in sorted(root.glob("*/*/v*")):
        client, project, version = path.relative_to(root).parts
        if version[1:].isdecimal():
            yield Overlay(client, project, int(version[1:]), path)


def _name(distribution: Distribution) -> str:
    """PyPI's canonical form of a name (PEP 503)."""
    name: str = distribution.metadata["Name"]
    return name.lower().replace("_", "-").replace(".", "-")
