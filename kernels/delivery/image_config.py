"""What an exported image says of itself and how it is started. Pure.

The base's own settings stay, but for those that would show another place's platform: it opens a
plain JupyterLab where the base would open a workspace of a hub.
"""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from kernels.delivery.version import Version
from kernels.store import MOUNT

PORT = 8888
_HOME = "/home"
_HUB = "jupyterhub.singleuser"
_KEPT = ("architecture", "os", "os.version", "os.features", "variant", "created")
_LISTEN = ("--ip=0.0.0.0", f"--port={PORT}", "--no-browser")


def plan_config(
    base: Mapping[str, Any], version: Version, home: str, layers: Sequence[str]
) -> dict[str, Any]:
    """The image's configuration, as the OCI image-spec has it.

    Args:
        base: the base image's.
        version: what is delivered.
        home: the environment's path.
        layers: the sha256 of the layers put on the base's.
    """
    before = base.get("config") or {}
    command = plan_command(before.get("Cmd") or (), version.project.kernel_name)
    created = base.get("created")
    history = [
        {"created_by": f"perijove export image {version.project.slug}", "comment": comment}
        | ({"created": created} if created else {})
        for comment in ("the environment", "its kernels and examples")
    ]
    return {
        **{key: base[key] for key in _KEPT if key in base},
        "config": before
        | {
            "User": "1000:1000",
            "WorkingDir": _HOME,
            "Env": _environment(before.get("Env") or (), command, version, home),
            "Cmd": command,
            "ExposedPorts": {f"{PORT}/tcp": {}},
            "Labels": _labels(before.get("Labels") or {}, version),
        },
        "rootfs": {
            "type": "layers",
            "diff_ids": [
                *base["rootfs"]["diff_ids"],
                *(f"sha256:{sha256}" for sha256 in layers),
            ],
        },
        "history": [*(base.get("history") or ()), *history],
    }


def plan_command(base: Sequence[str], kernel: str) -> list[str]:
    """How it is started: JupyterLab, with the settings that the base starts its server with."""
    options = [*_LISTEN, f"--MultiKernelManager.default_kernel_name={kernel}"]
    if _HUB not in base:
        return ["jupyter", "lab", *options]
    return [*("jupyterlab" if part == _HUB else part for part in base), *options]


def _environment(
    base: Sequence[str], command: Sequence[str], version: Version, home: str
) -> list[str]:
    """The base's variables; `python` is the environment's, `jupyter` has the server's programs."""
    variables = dict(entry.split("=", 1) for entry in base)
    program = PurePosixPath(command[0])
    path = [f"{home}/bin", *([str(program.parent)] if program.is_absolute() else [])]
    path.append(
        variables.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    )
    variables |= {
        "PATH": ":".join(path),
        "HOME": _HOME,
        "JUPYTER_PATH": f"{MOUNT}/{version.project.slug}",
    }
    return [f"{name}={value}" for name, value in variables.items()]


def _labels(base: Mapping[str, str], version: Version) -> dict[str, str]:
    project = version.project
    kept = {key: base[key] for key in base if not key.startswith("com.docker.compose.")}
    return kept | {
        "org.opencontainers.image.title": project.display_name,
        "org.opencontainers.image.description": project.description,
        "org.opencontainers.image.version": f"v{version.environment.version}",
        "org.opencontainers.image.authors": project.owner,
        "perijove.project": project.slug,
        "perijove.lock": version.lock.digest,
    }
