"""Installs packages below $PERIJOVE_HOME/tools: whole or not at all, pinned and hashed.

Each package gets a folder of its own, named by its version, that appears by one rename. So a
half-installed package is never found, and a second run installs nothing.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from uv import find_uv_bin

from embedded.errors import ToolError

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements" / "tools.txt"
_LONGEST_SUMMARY = 400


def ensure_package(
    package: str, tools: Path, report: Callable[[str], None], *, why: str
) -> tuple[Path, str]:
    """Return the folder that holds `package`, installed if need be, and its version."""
    pin = load_pin(REQUIREMENTS, package)
    version = pin.partition("==")[2].split()[0]
    target = tools / "python" / f"{package}-{version}"
    if not target.is_dir():
        report(f"{why}: installing {package} {version} from PyPI.")

        def install(folder: Path) -> None:
            requirements = folder / ".requirements.txt"
            requirements.write_text(pin)
            command = [find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
            command += ["--python", sys.executable, "--target", str(folder)]
            run_installer([*command, "-r", str(requirements)], f"installing {package} with uv")

        install_at_once(target, install)
    return target, version


def load_pin(requirements: Path, package: str) -> str:
    """Return the lines of a hashed requirements file that pin `package`."""
    lines = requirements.read_text().splitlines()
    for number, line in enumerate(lines):
        if line.startswith(f"{package}=="):
            end = number + 1
            while end < len(lines) and lines[end].startswith(" "):
                end += 1
            return "\n".join(lines[number:end]) + "\n"
    raise ToolError(
        f"{requirements} does not pin {package}; add it to {requirements.stem}.in and lock again."
    )


def install_at_once(target: Path, install: Callable[[Path], None]) -> None:
    """Let `install` fill a new folder and rename it to `target`; another run may win the race."""
    target.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(dir=target.parent, prefix=".new-"))
    try:
        new.chmod(0o755)  # nginx's workers and walled workspaces run as somebody else
        install(new)
        try:
            new.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(new, ignore_errors=True)


def run_installer(
    command: Sequence[str],
    doing: str,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run an installer; what it said goes into the error."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ToolError(
            f"{doing[0].upper()}{doing[1:]} failed: {summarise(done.stderr)}; "
            "check that this machine reaches the package registry, and run it again."
        )


def summarise(output: str) -> str:
    """Return what a program said on one line, short enough for the middle of a sentence."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    said = " ".join(lines) or "it said nothing"
    return said if len(said) <= _LONGEST_SUMMARY else f"{said[:_LONGEST_SUMMARY]}..."
