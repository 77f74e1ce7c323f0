"""Locks and built versions without solving or building: for what only looks at them."""

import time
from pathlib import Path
from typing import Any

from kernels.building.build import LOCK_COPY
from kernels.conda import CondaPackage
from kernels.environment_yml import Requirements
from kernels.locking.lock import Lock
from kernels.locking.wheels import Wheel
from kernels.names import prefix_name
from kernels.platform import Platform
from kernels.projects import Project
from kernels.store import FINISHED, Environment, Store, write_json

FORGE = "https://conda.anaconda.org/conda-forge/"


def conda(name: str, version: str = "1.0", **keys: Any) -> CondaPackage:
    """A conda package; a Python one if told `depends=("python",)`."""
    build = keys.pop("build", "0")
    made = {
        "build_number": 0,
        "channel": FORGE,
        "file": f"noarch/{name}-{version}-{build}.conda",
        "sha256": f"{abs(hash((name, version, build))):064x}",
        "md5": None,
        "size": 1000,
        "noarch": None,
        "license": None,
        "depends": (),
        "constrains": (),
        "site_packages": None,
    } | keys
    return CondaPackage(name=name, version=version, build=build, **made)


def wheel(name: str, version: str = "1.0", **keys: Any) -> Wheel:
    """A wheel."""
    sha256 = f"{abs(hash((name, version))):064x}"
    return Wheel(name, version, f"{name}-{version}-py3-none-any.whl", keys.get("sha256", sha256))


def lock(*packages: CondaPackage | Wheel, **keys: Any) -> Lock:
    """A lock of these packages and python."""
    made = {
        "project": "a/b",
        "requirements": Requirements(conda=("python=3.11", "ipykernel")),
        "platform": Platform(),
        "tools": {},
    } | keys
    return Lock(
        conda=(conda("python", "3.11.7"), *(one for one in packages if not isinstance(one, Wheel))),
        pip=tuple(one for one in packages if isinstance(one, Wheel)),
        **made,
    )


def build(project: Project, store: Store, version: int) -> Environment:
    """A finished version with nothing in it."""
    made = lock(project=project.slug, tools={"pretended": str(version)})
    path = store.project(project) / "envs" / prefix_name(version, made.digest)
    (path / "bin").mkdir(parents=True)
    Path(path, LOCK_COPY).write_text(made.text)
    told = {"version": version, "built": int(time.time()), "variables": {}}
    write_json(path / FINISHED, told)
    return Environment(project.client, project.name, version, made.digest[:12], path)
