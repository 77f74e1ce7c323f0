"""The house: imports point one way, files are small, and one place prints."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("perijove", "embedded", "operating", "spawner", "kernels", "workspace")
MAY_IMPORT = {
    "jupyterhub_config": {"embedded", "spawner", "kernels"},
    "perijove": {"perijove", "embedded", "operating", "spawner", "kernels"},
    "embedded": {"embedded", "spawner", "kernels"},
    "operating": {"operating", "spawner", "kernels"},
    "spawner": {"spawner", "kernels"},
    "kernels": {"kernels"},
    "workspace": {"workspace"},
}
OURS = {*PACKAGES, "jupyterhub_config"}
MODULES = sorted(
    path.relative_to(ROOT)
    for path in (
        ROOT / "jupyterhub_config.py",
        *(p for n in PACKAGES for p in ROOT.glob(f"{n}/**/*.py")),
    )
    if "node_modules" not in path.parts
)


def dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


NAMES = {dotted(path): path for path in MODULES}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def imports(path: Path, *, at_start_only: bool = False) -> Iterator[str]:
    """Dotted names that a module imports; of `from a import b` both `a` and `a.b`."""
    nodes = tree(path).body if at_start_only else ast.walk(tree(path))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_there_is_something_to_look_at() -> None:
    assert {path.parts[0] for path in MODULES} == {*PACKAGES, "jupyterhub_config.py"}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_point_one_way(path: Path) -> None:
    package = dotted(path).split(".")[0]
    used = {name.split(".")[0] for name in imports(path)} & OURS
    assert used <= MAY_IMPORT[package], f"{path} imports {used - MAY_IMPORT[package]}"


@pytest.mark.parametrize("path", [path for path in MODULES if path.parts[0] == "kernels"], ids=str)
def test_kernels_knows_no_hub_and_no_docker(path: Path) -> None:
    used = {name.split(".")[0] for name in imports(path)}
    assert not used & {"jupyterhub", "docker", "dockerspawner", "tornado", "nativeauthenticator"}


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {
        name: {target for target in imports(path, at_start_only=True) if target in NAMES} - {name}
        for name, path in NAMES.items()
    }
    done: set[str] = set()

    def follow(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join([*way[way.index(name) :], name])
        if name not in done:
            for target in graph[name]:
                follow(target, (*way, name))
            done.add(name)

    for name in graph:
        follow(name, ())


def test_py_rattler_is_imported_in_one_place() -> None:
    users = {
        str(path) for path in MODULES if any(n.split(".")[0] == "rattler" for n in imports(path))
    }
    assert users
    assert all(user.startswith("kernels/conda/") for user in users)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_a_module_is_small(path: Path) -> None:
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= 300


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_a_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(tree(path))


def test_only_the_command_line_prints() -> None:
    printers = {
        path.parts[0]
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    }
    assert printers <= {"perijove"}
