"""Wheels of `pip:` parts, unpacked once and hard-linked into every environment that wants them.

Conda packages come that way by py-rattler; without this each environment would have its own copy of
a wheel of some gigabytes. Scripts name the Python that runs them, so they alone are written anew.
"""

import os
import shutil
import tempfile
from pathlib import Path

from kernels.files import hold_file, remove_leftovers, remove_tree
from kernels.locking.lock import Lock
from kernels.locking.wheels import Wheel, ensure_wheel, install_wheel
from kernels.store import Store

_PLACEHOLDER = "/opt/perijove-unpacked-wheel-placeholder"
_SCRATCH = ".unpacking-"


def link_wheel(wheel: Wheel, lock: Lock, prefix: Path, target: Path, store: Store) -> None:
    """Puts a wheel into `prefix`, whose paths are written for `target`.

    Raises:
        BuildError: the file is damaged, or is not the locked one.
        LockError: it is not in the cache, and the registry does not answer.
    """
    _link(str(_ensure_unpacked(wheel, lock, store)), str(prefix), str(target))


def unpacked_name(wheel: Wheel, python: str) -> str:
    """The folder of a wheel among the unpacked ones; `python` is such as `3.11`."""
    return f"{wheel.sha256}-cpython-{python.replace('.', '')}"


def _ensure_unpacked(wheel: Wheel, lock: Lock, store: Store) -> Path:
    kept = store.unpacked / unpacked_name(wheel, lock.python_minor)
    if kept.is_dir():
        return kept
    path = ensure_wheel(
        wheel, python=lock.python_minor, platform=lock.platform, cache_dir=store.wheels
    )
    with hold_file(store.unpacked / ".lock"):
        remove_leftovers(store.unpacked, _SCRATCH)
        if kept.is_dir():
            return kept
        scratch = Path(tempfile.mkdtemp(dir=store.unpacked, prefix=_SCRATCH))
        try:
            install_wheel(
                path, scratch, target=Path(_PLACEHOLDER), python=lock.python_minor, tool="pip"
            )
            for record in scratch.glob("lib/*/site-packages/*.dist-info/RECORD"):
                _forget_scripts(record)
            scratch.chmod(0o755)
            scratch.rename(kept)
        except BaseException:
            remove_tree(scratch)
            raise
    return kept


def _forget_scripts(record: Path) -> None:
    """Leaves hash and size out where files differ between environments, as PEP 376 allows."""
    lines = record.read_text(encoding="utf-8").splitlines()
    plain = [
        f"{line.rsplit(',', 2)[0]},," if line.startswith("../../../bin/") else line
        for line in lines
    ]
    record.write_text("\n".join(plain) + "\n", encoding="utf-8")


def _link(kept: str, prefix: str, target: str) -> None:
    for folder, _, names in os.walk(kept):
        destination = prefix + folder[len(kept) :]
        os.makedirs(destination, exist_ok=True)  # noqa: PTH103 - by the thousand: text is faster
        for name in names:
            source, copy = f"{folder}/{name}", f"{destination}/{name}"
            Path(copy).unlink(missing_ok=True)  # a wheel's file wins, as with pip
            if folder == f"{kept}/bin":
                _write_script(source, copy, target)
            else:
                os.link(source, copy)


def _write_script(source: str, copy: str, target: str) -> None:
    text = Path(source).read_bytes()
    Path(copy).write_bytes(text.replace(_PLACEHOLDER.encode(), target.encode()))
    shutil.copymode(source, copy)
