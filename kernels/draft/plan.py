"""What the files of a new project say. Pure: a template and wishes in, texts out."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from packaging.utils import canonicalize_name

from kernels import names
from kernels.conda import is_match_spec, spec_name
from kernels.draft.template import Template
from kernels.errors import ProjectError
from kernels.projects import Project

PIP = "pip:"
"""How a requirement begins that is PyPI's and not conda's."""
_PLAIN = 0x20  # below it are control characters, which no title has


@dataclass(frozen=True)
class Wishes:
    """What a person asked for.

    Attributes:
        slug: `<client>/<project>`.
        owner: who answers for it.
        wanted: conda specs; those that begin with `pip:` are pip requirements.
        channels: where packages come from.
        python: another version than the template's, or empty.
        title: of the project, or empty: made from its name.
        client_title: of the client, or empty: as it is, or made from its name.
        description: one sentence, or empty: the template's.
    """

    slug: str
    owner: str
    wanted: tuple[str, ...] = ()
    channels: tuple[str, ...] = ("conda-forge",)
    python: str = ""
    title: str = ""
    client_title: str = ""
    description: str = ""


@dataclass(frozen=True)
class Draft:
    """A project that does not exist yet.

    Attributes:
        project: as it will be read.
        files: path below the project's directory to text.
        client_toml: the client's file, for a client that is new.
        wanted: what a person asked for besides the template, without the `pip:`.
    """

    project: Project
    files: dict[str, str]
    client_toml: str
    wanted: tuple[str, ...] = ()


def plan_draft(
    wishes: Wishes, template: Template, projects: Path, known: Sequence[Project]
) -> Draft:
    """The files of a new project.

    Args:
        wishes: what a person asked for.
        template: what it begins with.
        projects: the projects directory.
        known: the projects that there are.

    Raises:
        ProjectError: a name, a title or a package is not one.
    """
    client, name = _names(wishes.slug)
    path = projects / client / name
    known_title = next((other.client_title for other in known if other.client == client), "")
    if known_title and wishes.client_title not in {"", known_title}:
        raise ProjectError(
            f"{path.parent}/client.toml: the client's title is '{known_title}' already; leave "
            "--client-title out, or change it there."
        )
    project = Project(
        client=client,
        name=name,
        path=path,
        client_title=known_title or _text(wishes.client_title) or _as_title(client, each=True),
        title=_text(wishes.title) or _as_title(name, each=False),
        description=_text(wishes.description) or template.description,
        owner=_text(wishes.owner),
    )
    for other in known:
        if other.display_name == project.display_name and other.slug != project.slug:
            raise ProjectError(
                f"{path}: the kernel name '{project.display_name}' is taken by {other.slug}; give "
                "another --title."
            )
    files = {
        "project.toml": _project_toml(project, template),
        "environment.yml": _environment_yml(project, wishes, template),
    }
    for file, notebook in template.notebooks.items():
        files[f"examples/{file}"] = _notebook(project, notebook)
    wanted = tuple(text.removeprefix(PIP).strip() for text in wishes.wanted)
    return Draft(project, files, _toml(title=project.client_title), wanted)


def _names(slug: str) -> tuple[str, str]:
    client, slash, name = slug.partition("/")
    if not slash:
        raise ProjectError(f"'{slug}': expected CLIENT/PROJECT, such as 'alder-bank/credit-risk'.")
    for each, noun in ((client, "client"), (name, "project")):
        if not names.is_name(each):
            raise ProjectError(
                f"'{slug}': '{each}' cannot name a {noun}: expected {names.NAME_RULE}."
            )
    return client, name


def _text(text: str) -> str:
    if any(ord(letter) < _PLAIN or letter == "\x7f" for letter in text):
        raise ProjectError(f"Found {text!r}, expected a text of one line.")
    return text.strip()


def _as_title(name: str, *, each: bool) -> str:
    words = name.replace("-", " ")
    return words.title() if each else words[:1].upper() + words[1:]


def _project_toml(project: Project, template: Template) -> str:
    return (
        _toml(title=project.title, description=project.description, owner=project.owner)
        + "\n[limits]\n"
        + _toml(memory=template.memory)
    )


def _toml(**table: str) -> str:
    """Keys with texts; JSON's form of a text without control characters is TOML's too."""
    return "".join(
        f"{key} = {json.dumps(text, ensure_ascii=False)}\n" for key, text in table.items()
    )


def _environment_yml(project: Project, wishes: Wishes, template: Template) -> str:
    conda, pip = _requirements(wishes, template)
    dependencies: list[Any] = [*conda]
    if pip:
        dependencies += [{"pip": pip}]
    return yaml.safe_dump(
        {
            "name": f"{project.client}_{project.name}",
            "channels": [*wishes.channels, "nodefaults"],
            "dependencies": dependencies,
        },
        sort_keys=False,
        allow_unicode=True,
    )


def _requirements(wishes: Wishes, template: Template) -> tuple[list[str], list[str]]:
    """The template's, but for what a person asked for by the same name, and then that."""
    conda = [text.strip() for text in wishes.wanted if not text.startswith(PIP)]
    pip = [text.removeprefix(PIP).strip() for text in wishes.wanted if text.startswith(PIP)]
    for text in conda:
        if not is_match_spec(text):
            raise ProjectError(
                f"--with: found '{text}', expected a conda package such as 'pandas>=2,<3', or one "
                "of PyPI's such as 'pip:tiktoken>=0.8'."
            )
    asked = {str(canonicalize_name(spec_name(text))) for text in conda}
    python = f"python={wishes.python or template.python}"
    return [*_without(asked, (python, *template.conda)), *conda], pip


def _without(asked: set[str], specs: Sequence[str]) -> Iterator[str]:
    for spec in specs:
        if str(canonicalize_name(spec_name(spec))) not in asked:
            yield spec


def _notebook(project: Project, notebook: dict[str, Any]) -> str:
    kernel = {
        "display_name": project.display_name,
        "language": "python",
        "name": project.kernel_name,
    }
    metadata = {"kernelspec": kernel, **notebook["metadata"]}
    return json.dumps({**notebook, "metadata": metadata}, indent=1, ensure_ascii=False) + "\n"
