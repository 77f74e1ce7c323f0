"""Tells whether this machine lets bubblewrap wall off a workspace, by really trying it."""

import subprocess
from pathlib import Path

from embedded.installing import summarise


def find_wall_obstacle(bwrap: Path, settings: Path = Path("/proc/sys")) -> str | None:
    """Really start bubblewrap with the namespaces workspaces use; say what stands in the way.

    Returns:
        None when it works, otherwise one sentence with the reason and what to do.
    """
    command = [str(bwrap), "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    command += [
        "--disable-userns",
        "--ro-bind",
        "/",
        "/",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "true",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"Workspaces cannot be walled off: {bwrap} does not run ({error}); reinstall it."
    if done.returncode == 0:
        return None
    said = summarise(done.stderr)
    for name, bad, change in (
        ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ("user/max_user_namespaces", "0", "user.max_user_namespaces=10000"),
    ):
        if _read_setting(settings / name) == bad:
            return (
                f"Workspaces cannot be walled off: this kernel's setting {name.replace('/', '.')}"
                f" is {bad} (bwrap: {said}); as root, run `sysctl -w {change}`."
            )
    if _in_container():
        return (
            f"Workspaces cannot be walled off: this container may not make namespaces (bwrap: "
            f"{said}); start it with `--security-opt seccomp=unconfined "
            f"--security-opt systempaths=unconfined`, or run Perijove outside of it."
        )
    return (
        f"Workspaces cannot be walled off: bubblewrap failed ({said}); "
        "ask who runs this machine to allow unprivileged user namespaces."
    )


def _read_setting(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _in_container() -> bool:
    return Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()
