"""What the documentation must hold: every command, setting and key, and no dead link."""

import ast
import re
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

from embedded.nginx import TEMPLATE
from kernels.platform import Platform
from kernels.projects import Limits
from perijove.__main__ import cli
from spawner.accounts import LocalAccounts
from spawner.planned import PlannedSpawner
from workspace.kernelspecs import StoreKernelSpecManager
from workspace.restarter import WorkspaceKernelRestarter

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs/reference"
PAGES = [*ROOT.glob("*.md"), *sorted(ROOT.glob("docs/**/*.md"))]
CODE = [
    path
    for folder in ("perijove", "embedded", "operating", "spawner", "kernels", "workspace")
    for path in (ROOT / folder).rglob("*.py")
    if path
    != ROOT / "kernels/building/inside.py"  # reads what a kernel was given, not what a site sets
] + [ROOT / "jupyterhub_config.py"]


def read(name: str) -> str:
    return (REFERENCE / name).read_text()


def test_every_verb_and_option_of_the_command_line_is_described() -> None:
    page = read("command-line.md")
    context = click.Context(cli)
    for parameter in cli.params:
        assert f"`{parameter.opts[0]}`" in page
    for verb in cli.list_commands(context):
        assert f"## {verb}" in page
        command = cli.get_command(context, verb)
        assert command is not None
        for parameter in command.params:
            for option in parameter.opts if isinstance(parameter, click.Option) else []:
                assert f"`{option}" in page, f"{verb} {option}"


@pytest.mark.parametrize(
    "owner",
    [PlannedSpawner, LocalAccounts, StoreKernelSpecManager, WorkspaceKernelRestarter],
)
def test_every_trait_of_ours_is_described_and_has_help(owner: type) -> None:
    page = read("settings.md")
    own = owner.class_own_traits(config=True)  # type: ignore[attr-defined]
    assert own
    for name, trait in own.items():
        assert f"`{owner.__name__}.{name}`" in page
        assert trait.help


def test_every_environment_variable_is_listed() -> None:
    names = {name for path in CODE for name in read_variables(ast.parse(path.read_text()))}
    assert {"PORT", "PERIJOVE_HOME", "PERIJOVE_DEBUG", "CONFIGPROXY_AUTH_TOKEN"} <= names
    assert {"PATH", "SSL_CERT_DIR", "PYENV_ROOT", "JUPYTER_RUNTIME_DIR"} <= names
    for name in names:
        assert f"{name}=" in (ROOT / ".env.example").read_text(), name
        assert f"`{name}`" in read("settings.md"), name


def test_every_variable_of_the_compose_file_is_listed_with_its_default() -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    found = re.findall(r"\$\{([A-Z0-9_]+)(?::-([^}]*))?", compose)
    assert {("PERIJOVE_OUTSIDE", "none"), ("POSTGRES_PASSWORD", "")} <= set(found)
    example = (ROOT / ".env.example").read_text()
    for name, default in found:
        assert f"# {name}={default}" in example, f"{name}={default}"
        assert f"`{name}`" in read("settings.md"), name


def read_variables(tree: ast.Module) -> Iterator[str]:
    """Names like `PORT` in click's `envvar=`, and wherever `environ` is asked for one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "envvar":
            yield from names_in(node.value)
        elif isinstance(node, ast.Call) and (
            (isinstance(node.func, ast.Attribute) and is_environment(node.func.value))
            or any(is_environment(argument) for argument in node.args)
        ):
            yield from (name for argument in node.args[:2] for name in names_in(argument))
        elif isinstance(node, ast.Compare | ast.Subscript) and any(
            is_environment(child) for child in ast.iter_child_nodes(node)
        ):
            yield from names_in(node)
        elif isinstance(node, ast.FunctionDef) and "os.environ[name]" in ast.unparse(node):
            yield from (
                name
                for part in ast.walk(node)
                if isinstance(part, ast.Tuple)
                for name in names_in(part)
            )


def is_environment(node: ast.AST) -> bool:
    return ast.unparse(node) in ("environ", "os.environ")


def names_in(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and re.fullmatch("[A-Z][A-Z_]+", str(part.value)):
            yield str(part.value)


def test_every_variable_of_the_nginx_template_is_described() -> None:
    for name in set(re.findall(r"\$\{([A-Z0-9_]+)\}", TEMPLATE.read_text())):
        assert f"`{name}`" in read("settings.md"), name


def test_every_key_of_project_toml_is_described() -> None:
    page = read("project-files.md")
    keys = ["title", "description", "owner"]
    keys += [f"limits.{field.name}" for field in fields(Limits)]
    keys += [f"platform.{field.name}" for field in fields(Platform)]
    for key in keys:
        assert f"`{key}`" in page, key


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text(), re.MULTILINE)
            assert anchor in [heading.lower().replace(" ", "-") for heading in headings], target


def test_every_decision_is_in_the_index() -> None:
    index = (ROOT / "docs/decisions/README.md").read_text()
    for record in (ROOT / "docs/decisions").glob("[0-9]*.md"):
        assert f"({record.name})" in index


def test_the_readme_gives_the_two_commands() -> None:
    assert "make up\nmake test\n" in (ROOT / "README.md").read_text()


def test_no_registry_and_no_developers_path_is_named_in_the_tree() -> None:
    words = ["py" + "pi.org", "python" + "hosted.org", "deb." + "debian.org", "registry.npm" + "js"]
    words += ["/wo" + "rk/main", "/Us" + "ers/"]
    files = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for name in filter(None, files):
        text = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b""
        assert not [word for word in words if word.encode() in text], name
