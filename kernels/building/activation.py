"""What activating an environment would put into a kernel's environment variables, worked out once.

`conda activate` costs a shell and an interpreter at every kernel start; its effect is the same each
time. So it is recorded when the environment is built and written into `kernel.json`.
"""

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from kernels.conda import activation_script
from kernels.errors import BuildError
from kernels.locking.lock import Lock
from kernels.sandbox import as_seen_by_workspaces
from kernels.store import Environment, Store

_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
_OVERLAYS = "${HOME}/.local/share/perijove/overlays"


def plan_activation(environment: Environment, lock: Lock, store: Store) -> dict[str, str]:
    """The variables a kernel of `environment` starts with.

    `${PATH}` and `${HOME}` stand for the workspace's own.

    `PYTHONUSERBASE` is where pip puts what a person installs, for the environment is read-only: an
    overlay for this version of the project alone. Without it that were `~/.local`, and a conda
    prefix is no virtual environment: one kernel's packages would leak into every other of the same
    Python version.
    """
    prefix = store.target(environment.path)
    overlay = f"{_OVERLAYS}/{environment.client}/{environment.project}/v{environment.version}"
    variables = {
        "PATH": f"{prefix}/bin:${{PATH}}",
        "CONDA_PREFIX": str(prefix),
        "CONDA_SHLVL": "1",
        "CONDA_DEFAULT_ENV": environment.name,
        "CONDA_PROMPT_MODIFIER": f"({environment.name}) ",
        "PYTHONUSERBASE": overlay,
    }
    variables |= _scripted(environment, store) | _literal(lock.requirements.variables)
    return variables | {"PATH": f"{overlay}/bin:{variables['PATH']}"}


def _literal(variables: Mapping[str, str]) -> dict[str, str]:
    """The same values where a `$` means more: Jupyter fills variables into a kernel's settings."""
    return {key: value.replace("$", "$$") for key, value in variables.items()}


def _scripted(environment: Environment, store: Store) -> dict[str, str]:
    """What the packages' own activation scripts set, if there are any."""
    conda_dir = environment.path / "etc/conda"
    if not any(conda_dir.glob("activate.d/*.sh")) and not any(conda_dir.glob("env_vars.d/*")):
        return {}
    first, second = (_run_scripts(environment, store, home) for home in ("/tmp/a", "/tmp/b"))  # noqa: S108 - never made
    changing = {key for key in first | second if first.get(key) != second.get(key)}
    if changing:
        raise BuildError(
            f"{environment.name}: an activation script sets {', '.join(sorted(changing))} from the "
            "user's own surroundings, which cannot be recorded; leave that package out."
        )
    return first


def _run_scripts(environment: Environment, store: Store, home: str) -> dict[str, str]:
    base = {"PATH": _SYSTEM_PATH, "HOME": home}
    script = activation_script(environment.path, _SYSTEM_PATH).replace(
        str(environment.path), str(store.target(environment.path))
    )
    program = ["/usr/bin/env", "-i", *(f"{key}={value}" for key, value in base.items())]
    with tempfile.TemporaryDirectory(prefix="perijove-activation-") as scratch:
        done = subprocess.run(
            as_seen_by_workspaces(
                [*program, "bash", "-c", f"{script}\nenv -0"],
                store,
                environment.path.parents[1],
                Path(scratch),
            ),
            capture_output=True,
            text=True,
            check=False,
            cwd=scratch,
        )
    if done.returncode != 0:
        raise BuildError(f"{environment.name}: an activation script failed: {done.stderr.strip()}")
    variables = dict(item.split("=", 1) for item in done.stdout.split("\0") if "=" in item)
    for noise in ("_", "PWD", "SHLVL", "OLDPWD", "HOME"):
        variables.pop(noise, None)
    literal = _literal(variables)
    # The script puts the PATH it was made for before the one it meets; here they are the same.
    path = literal.get("PATH", _SYSTEM_PATH).replace(f"{_SYSTEM_PATH}:{_SYSTEM_PATH}", _SYSTEM_PATH)
    literal["PATH"] = path.replace(_SYSTEM_PATH, "${PATH}")
    return literal
