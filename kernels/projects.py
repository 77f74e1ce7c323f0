"""Client projects as they stand under `projects/`; the only reader of `project.toml`.

    projects/<client>/client.toml
    projects/<client>/<project>/{project.toml, environment.yml, examples/*.ipynb}

A project that cannot be read never hides the others: it is returned as a problem beside them.
"""

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from kernels import names
from kernels.errors import ProjectError
from kernels.platform import Platform


@dataclass(frozen=True)
class Limits:
    """What a workspace that uses a project may take.

    Attributes:
        memory: in bytes.
        cpu: processors, also parts of one.
        gpus: whole GPUs, which no other workspace has at the same time.
    """

    memory: int = 2 * 1024**3
    cpu: float = 1.0
    gpus: int = 0


@dataclass(frozen=True)
class Project:
    """One piece of work for a client."""

    client: str
    name: str
    path: Path
    client_title: str
    title: str
    description: str
    owner: str
    limits: Limits = Limits()
    platform: Platform = Platform()

    @property
    def slug(self) -> str:
        """`<client>/<project>`, as groups and the command line name it."""
        return f"{self.client}/{self.name}"

    @property
    def kernel_name(self) -> str:
        """The stable kernel name."""
        return names.kernel_name(self.client, self.name)

    @property
    def display_name(self) -> str:
        """What people read in the launcher."""
        return f"{self.client_title} · {self.title}"

    @property
    def environment_yml(self) -> Path:
        """Where the project says what packages it wants."""
        return self.path / "environment.yml"

    @property
    def examples(self) -> Path:
        """The folder of its example notebooks."""
        return self.path / "examples"


@dataclass(frozen=True)
class Projects:
    """All that stands under a projects directory: what could be read, and what could not."""

    projects: tuple[Project, ...]
    problems: tuple[ProjectError, ...] = ()

    def find(self, slug: str) -> Project:
        """The project called `<client>/<project>` (or by its kernel name)."""
        for project in self.projects:
            if slug in (project.slug, project.kernel_name):
                return project
        known = ", ".join(project.slug for project in self.projects) or "none"
        raise ProjectError(f"There is no project '{slug}'; the projects are: {known}.")


def load_projects(root: Path) -> Projects:
    """Reads every `<client>/<project>` below `root`, in the order of their names.

    Raises:
        ProjectError: `root` itself is not a readable directory.
    """
    clients = _list_directories(root)
    projects: list[Project] = []
    problems: list[ProjectError] = []
    for client in clients:
        try:
            title = _load_client(client)
            children = _list_directories(client)
        except ProjectError as error:
            problems.append(error)
            continue
        for path in children:
            try:
                project = _load_project(path, title)
                _refuse_twin(project, projects)
            except ProjectError as error:
                problems.append(error)
            else:
                projects.append(project)
    return Projects(tuple(projects), tuple(problems))


def parse_memory(text: str) -> int:
    """Bytes of a size such as `512M` or `2G` (powers of 1024), above 0. Raises ValueError."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([KMGT])", text)
    if not found or float(found[1]) <= 0:
        raise ValueError(text)
    return int(float(found[1]) * 1024 ** ("KMGT".index(found[2]) + 1))


def _list_directories(root: Path) -> list[Path]:
    try:
        return sorted(
            path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")
        )
    except OSError as error:
        raise ProjectError(
            f"{root}: cannot be read ({error.strerror}); expected a directory of directories."
        ) from None


def _load_client(path: Path) -> str:
    _check_name(path, "client")
    table = _load_toml(path / "client.toml")
    _refuse_unknown(path / "client.toml", table, {"title"})
    return _text(path / "client.toml", table, "title")


def _load_project(path: Path, client_title: str) -> Project:
    _check_name(path, "project")
    file = path / "project.toml"
    table = _load_toml(file)
    _refuse_unknown(file, table, {"title", "description", "owner", "limits", "platform"})
    return Project(
        client=path.parent.name,
        name=path.name,
        path=path,
        client_title=client_title,
        title=_text(file, table, "title"),
        description=_text(file, table, "description"),
        owner=_text(file, table, "owner"),
        limits=_limits(file, _table(file, table, "limits")),
        platform=_platform(file, _table(file, table, "platform")),
    )


def _check_name(path: Path, noun: str) -> None:
    if not names.is_name(path.name):
        raise ProjectError(
            f"{path}: '{path.name}' cannot name a {noun}: expected {names.NAME_RULE}; "
            "rename the directory."
        )


def _refuse_twin(project: Project, others: list[Project]) -> None:
    for other in others:
        if project.display_name == other.display_name:
            raise ProjectError(
                f"{project.path}/project.toml: title: the kernel name '{project.display_name}' "
                f"is taken by {other.slug}; expected a title that tells the two apart."
            )


def _load_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ProjectError(
            f"{file}: the file is missing; every client and project has one."
        ) from None
    except OSError as error:
        raise ProjectError(
            f"{file}: cannot be read ({error.strerror}); expected a file that the builder may read."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectError(f"{file}: not valid TOML: {error}.") from None


def _refuse_unknown(file: Path, table: Mapping[str, Any], known: set[str], where: str = "") -> None:
    for key in table:
        if key not in known:
            raise ProjectError(
                f"{file}: {where}{key}: unknown key; expected one of: {', '.join(sorted(known))}."
            )


def _text(file: Path, table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        found = "nothing" if value is None else repr(value)
        raise ProjectError(f"{file}: {key}: found {found}, expected some text.")
    return value.strip()


def _table(file: Path, table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = table.get(key, {})
    if not isinstance(value, dict):
        raise ProjectError(f"{file}: {key}: found {value!r}, expected a table [{key}].")
    return value


def _limits(file: Path, table: Mapping[str, Any]) -> Limits:
    _refuse_unknown(file, table, {field.name for field in fields(Limits)}, "limits.")
    default = Limits()
    memory = table.get("memory")
    cpu, gpus = table.get("cpu", default.cpu), table.get("gpus", default.gpus)
    try:
        parsed = default.memory if memory is None else parse_memory(memory)
    except (TypeError, ValueError):
        raise ProjectError(
            f"{file}: limits.memory: found {memory!r}, expected a size such as '512M' or '2G'."
        ) from None
    if not _is_positive(cpu):
        raise ProjectError(f"{file}: limits.cpu: found {cpu!r}, expected a number above 0.")
    if type(gpus) is not int or gpus < 0:
        raise ProjectError(f"{file}: limits.gpus: found {gpus!r}, expected a whole number.")
    return Limits(memory=parsed, cpu=float(cpu), gpus=gpus)


def _is_positive(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 < value < math.inf


def _platform(file: Path, table: Mapping[str, Any]) -> Platform:
    forms = {
        "subdir": (r"linux-64|linux-aarch64", "'linux-64' or 'linux-aarch64'"),
        "glibc": (r"2\.[0-9]+", "a version such as '2.28'"),
        "archspec": (r"[a-z0-9_]+", "a name such as 'x86_64_v3'"),
        "cuda": (r"[0-9]+\.[0-9]+", "a version such as '12.4'"),
    }
    _refuse_unknown(file, table, set(forms), "platform.")
    for key, value in table.items():
        form, expected = forms[key]
        if not isinstance(value, str) or not re.fullmatch(form, value):
            raise ProjectError(f"{file}: platform.{key}: found {value!r}, expected {expected}.")
    return Platform(**table)
