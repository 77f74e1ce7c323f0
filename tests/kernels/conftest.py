"""A tiny real conda channel on disk, and projects and stores to use it with.

The channel has a repackaged CPython of this machine (with a small standard library), pyzmq as it is
installed here, a kernel of a hundred lines, and a few packages of one file. Nothing is downloaded.
"""

import base64
import hashlib
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import pytest

from kernels import conda
from kernels.platform import Platform
from kernels.projects import Project, load_projects
from kernels.site_channel import cpython
from kernels.site_channel.cpython import ensure_python_package, find_cpython
from kernels.site_channel.package import PackageIndex, write_package
from kernels.store import MOUNT, Store, ensure_store

SITE_PACKAGES = "lib/python3.11/site-packages"
NOT_NEEDED = {
    *("asyncio", "unittest", "pydoc_data", "distutils", "xml", "xmlrpc", "wsgiref", "curses"),
    *("dbm", "sqlite3", "html", "http", "email", "venv", "zoneinfo", "tomllib"),
    *("_pydecimal.py", "pydoc.py", "pdb.py", "doctest.py", "turtle.py", "pickletools.py"),
}
BROKEN_KERNEL = "import sys\nsys.exit('the broken kernel says no')\n"
LOST_KERNEL = "import sys\nsys.prefix = '/somewhere/else'\nimport tiny_kernel\n"

MakeProject = Callable[..., Project]
MakeWheel = Callable[..., Path]


@dataclass(frozen=True)
class Channel:
    """A channel that grows: `add` a package of a few files, then `index`."""

    path: Path

    @property
    def url(self) -> str:
        return self.path.as_uri()

    def add(self, name: str, version: str, files: Mapping[str, str] = {}, **keys: object) -> None:
        tree = self.path.parent / f"{self.path.name}-tree"
        for file, text in files.items():
            (tree / file).parent.mkdir(parents=True, exist_ok=True)
            (tree / file).write_text(text)
        index = PackageIndex(name=name, version=version, build="0", subdir="linux-64", **keys)  # type: ignore[arg-type]
        write_package(self.path, index, tree if files else None)
        shutil.rmtree(tree, ignore_errors=True)

    def index(self) -> None:
        (self.path / "noarch").mkdir(exist_ok=True)
        conda.index(self.path)


@pytest.fixture(scope="session")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Channel:
    """The tiny channel; do not add to it, see `own_channel`."""
    channel = Channel(tmp_path_factory.mktemp("channel of mine"))  # a path with spaces, on purpose
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpython, "_LEFT_OUT", cpython._LEFT_OUT | NOT_NEEDED)
        ensure_python_package(channel.path, find_cpython("3.11"), Platform())
    _add_installed(channel, "pyzmq")
    # A thousand files, for those who ask; with what the small standard library lacks.
    _add_installed(channel, "pip", package="real-pip", stdlib=NOT_NEEDED)
    kernel = Path(__file__).with_name("tiny_kernel.py").read_text()
    needs = ("python 3.11.*", "pyzmq")
    for version, launcher in {"7.0": kernel, "6.0": BROKEN_KERNEL, "5.0": LOST_KERNEL}.items():
        if version == "5.0":
            launcher = kernel.replace("import zmq", "import zmq\n\nsys.prefix = '/elsewhere'")  # noqa: PLW2901
        files = {f"{SITE_PACKAGES}/ipykernel_launcher.py": launcher}
        channel.add("ipykernel", version, files, depends=needs)
    channel.add("pip", "25.0")
    for name, version in (("numpy", "1.26.4"), ("numpy", "2.1.0"), ("matplotlib-base", "3.9.2")):
        module = f"{SITE_PACKAGES}/{name.split('-')[0]}.py"
        channel.add(name, version, {module: f"__version__ = '{version}'\n"})
    channel.add("wants-old-numpy", "1.0", depends=("numpy <2",))
    channel.add("wants-new-libc", "1.0", depends=("__glibc >=2.99",))
    channel.add("wants-cuda", "1.0", depends=("__cuda >=12",))
    hooks = "etc/conda/activate.d"
    script = "export PROJ_DATA=\"$CONDA_PREFIX/share/proj\"\nexport PRICE='5$ or $6'\n"
    channel.add("sets-variable", "1.0", {f"{hooks}/proj.sh": script})
    channel.add("reads-home", "1.0", {f"{hooks}/home.sh": 'export DATA="$HOME/data"\n'})
    channel.add("fails", "1.0", {f"{hooks}/fail.sh": "echo no licence >&2\nexit 3\n"})
    writes = 'echo changed > "$PERIJOVE_TEST_TARGET" 2>/dev/null || true\n'
    channel.add("writes", "1.0", {f"{hooks}/write.sh": writes})
    channel.index()
    return channel


@pytest.fixture
def own_channel(tmp_path: Path) -> Channel:
    """A channel of one test's own, with a python that is only a name."""
    channel = Channel(tmp_path / "own-channel")
    for version in ("3.11.7", "3.12.1"):
        channel.add("python", version)
    channel.add("ipykernel", "7.0", depends=("python",))
    channel.add("pip", "25.0")
    channel.index()
    return channel


@pytest.fixture(scope="session")
def walled() -> bool:
    """Whether bubblewrap works here; without it the store is used at its own path."""
    program = shutil.which("bwrap")
    return (
        bool(program)
        and not subprocess.run(
            [program, "--ro-bind", "/", "/", "true"], capture_output=True, check=False
        ).returncode
    )


@pytest.fixture(scope="session")
def warm_caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("caches")


@pytest.fixture
def cold_store(tmp_path: Path, walled: bool) -> Store:
    """A store with nothing in it."""
    root = tmp_path / "store"
    return ensure_store(root, MOUNT if walled else root)


@pytest.fixture
def store(cold_store: Store, warm_caches: Path) -> Store:
    """An empty store whose package and bytecode caches are shared by the tests of a session."""
    for cache in (cold_store.packages, cold_store.bytecode):
        (warm_caches / cache.name).mkdir(exist_ok=True)
        cache.symlink_to(warm_caches / cache.name)
    return cold_store


@pytest.fixture
def projects(tmp_path: Path) -> Path:
    directory = tmp_path / "projects"
    directory.mkdir()
    return directory


@pytest.fixture
def make_project(projects: Path, request: pytest.FixtureRequest) -> MakeProject:
    """Writes a project; `dependencies` are lines of YAML, from the tiny channel if not told."""

    def make(
        slug: str = "alder-bank/credit-risk",
        *dependencies: str,
        channels: tuple[str, ...] | None = None,
        extra: str = "",
        toml: str = "",
    ) -> Project:
        if channels is None:
            channels = (request.getfixturevalue("channel").url,)
        client, name = slug.split("/")
        directory = projects / client / name
        (directory / "examples").mkdir(parents=True, exist_ok=True)
        (projects / client / "client.toml").write_text(f'title = "{client.title()}"\n')
        (directory / "project.toml").write_text(
            f'title = "{name.title()}"\ndescription = "A test."\nowner = "a@b.example"\n{toml}'
        )
        lines = "".join(f"  - {line}\n" for line in ("python=3.11", *dependencies))
        named = "".join(f"  - {channel}\n" for channel in channels)
        (directory / "environment.yml").write_text(
            f"channels:\n{named}dependencies:\n{lines}{extra}"
        )
        return load_projects(projects).find(slug)

    return make


@pytest.fixture
def wheelhouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory that is all uv and pip see of the registry."""
    directory = tmp_path / "wheelhouse"
    directory.mkdir()
    for program, alone in (("UV", "OFFLINE"), ("PIP", "NO_INDEX")):
        monkeypatch.setenv(f"{program}_{alone}", "1")
        monkeypatch.setenv(f"{program}_FIND_LINKS", str(directory))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    return directory


@pytest.fixture
def make_wheel(wheelhouse: Path) -> MakeWheel:
    """Writes a wheel into the wheelhouse."""

    def make(
        name: str,
        version: str,
        *requires: str,
        tag: str = "py3-none-any",
        files: Mapping[str, str] = {},
        scripts: str = "",
        metadata: str = "",
    ) -> Path:
        module = name.replace("-", "_")
        info = f"{module}-{version}.dist-info"
        head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}"
        content = {
            f"{module}.py": f"__version__ = '{version}'\n\n\ndef main():\n    print('{name}')\n",
            **files,
            f"{info}/METADATA": head + "".join(f"Requires-Dist: {line}\n" for line in requires),
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",  # noqa: E501
        }
        if scripts:
            content[f"{info}/entry_points.txt"] = f"[console_scripts]\n{scripts}\n"
        record = "".join(f"{file},{_digest(text)},{len(text)}\n" for file, text in content.items())
        content[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
        path = wheelhouse / f"{module}-{version}-{tag}.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for file, text in content.items():
                archive.writestr(file, text)
        return path

    return make


def _digest(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"sha256={digest.rstrip('=')}"


def _add_installed(
    channel: Channel, name: str, package: str = "", stdlib: Iterable[str] = ()
) -> None:
    """A distribution of the running Python, as it is installed."""
    found = distribution(name)
    tree = channel.path.parent / f"{name}-tree"
    for file in found.files or ():
        source = Path(str(found.locate_file(file)))
        if source.is_file() and source.suffix != ".pyc" and "tests" not in source.parts:
            target = tree / SITE_PACKAGES / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    for module in stdlib:
        source, target = Path(shutil.__file__).with_name(module), tree / "lib/python3.11" / module
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)
    index = PackageIndex(
        name=package or name,
        version=found.version,
        build="0",
        subdir="linux-64",
        depends=("python 3.11.*",),
    )
    write_package(channel.path, index, tree)
    shutil.rmtree(tree)
