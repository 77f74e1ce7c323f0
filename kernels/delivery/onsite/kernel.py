"""Makes the archive's environment a kernel of a Jupyter on this machine, or takes it away again."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any


def write_kernel(folder: Path, kernels: Path) -> Path:
    """Writes the kernel of the archive in `folder` into Jupyter's directory `kernels`.

    Returns the directory of the kernel.
    """
    told = json.loads((folder / "tools/kernel.json").read_text(encoding="utf-8"))
    directory = kernels / str(told["name"])
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(str(folder / "tools/logo-svg.svg"), str(directory / "logo-svg.svg"))
    spec = _at(told["spec"], told["home"], str(folder / "environment"))
    scratch = directory / ".kernel.json.new"
    scratch.write_text(json.dumps(spec, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(str(scratch), str(directory / "kernel.json"))  # noqa: PTH105 - the same on every Python
    return directory


def _at(value: Any, home: str, prefix: str) -> Any:
    if isinstance(value, str):
        return value.replace(home, prefix)
    if isinstance(value, list):
        return [_at(item, home, prefix) for item in value]
    if isinstance(value, dict):
        return {key: _at(item, home, prefix) for key, item in value.items()}
    return value


if __name__ == "__main__":
    made = write_kernel(Path(__file__).resolve().parent.parent, Path(sys.argv[1]).absolute())
    sys.stdout.write(f"{made}\n")
