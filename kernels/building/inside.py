"""Runs at the start of every Python of an environment: holds it, and opens the person's overlay.

Nothing imports it here: `build` copies it into each environment as `_perijove.py`, with a `.pth`
file that imports it there.
It runs on whatever Python the project asked for, takes well under a millisecond, and never keeps a
Python from starting. What it holds is a shared lock on the environment's `perijove.json`, until the
process ends: `perijove gc` removes no environment that somebody holds.
"""

import os
import sys

OVERLAYS = "/.local/share/perijove/overlays/"  # as in kernels/building/activation.py


def hold() -> None:
    """Takes a share in the environment; there is nothing to hold while it is being built."""
    try:
        import fcntl  # noqa: PLC0415 - a Python may lack it
        import time  # noqa: PLC0415 - the same

        file = os.open(os.path.join(sys.base_prefix, "perijove.json"), os.O_RDONLY)  # noqa: PTH118
        for _ in range(5):  # `perijove gc` may be looking just now; nobody may keep us for long
            try:
                return fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.002)
    except (ImportError, OSError):
        pass


def open_overlay() -> None:
    """Makes the overlay's folder, so that what pip puts there is found without a restart."""
    if OVERLAYS not in os.environ.get("PYTHONUSERBASE", ""):
        return
    import site  # noqa: PLC0415 - it is loading this module just now

    if not site.ENABLE_USER_SITE:  # a virtual environment of the person's own, or `python -s`
        return
    packages = site.getusersitepackages()
    if packages not in sys.path:
        os.makedirs(packages, exist_ok=True)  # noqa: PTH103
        sys.path.insert(sys.path.index(os.path.dirname(__file__)), packages)  # noqa: PTH120
    arguments = getattr(sys, "orig_argv", sys.argv)
    if (
        "install" in arguments
        and any(
            os.path.basename(argument).startswith("pip")  # noqa: PTH119
            for argument in arguments[1:3]
        )
    ):
        sys.stderr.write(
            "Perijove: the project's environment is shared and read-only, so this goes to a folder "
            "of your own and is seen by your {} kernels alone; 'perijove overlay' lists it, "
            "'perijove propose' asks for it for everybody.\n".format(
                os.environ.get("CONDA_DEFAULT_ENV", "")
            )
        )


hold()
try:  # noqa: SIM105 - importing contextlib takes longer than all of this
    open_overlay()
except (OSError, ValueError):
    pass  # no home to write to: pip says so itself
