"""A kernel's variables say the same to a shell, somewhere else."""

import subprocess
from pathlib import Path

from kernels.delivery.variables import plan_variables, shell_text, without_overlay

HOME = "/opt/perijove/a/b/envs/v1-aaaaaaaaaaaa"


def test_a_shell_sets_what_a_kernel_would_get(tmp_path: Path) -> None:
    variables = {
        "PATH": f"{HOME}/bin:${{PATH}}",
        "PRICE": "5$$ or $$6; 'quoted' `x` \"y\"",
        "DATA": f"{HOME}/share:{HOME}/more",
        "EMPTY": "",
    }
    file = tmp_path / "variables"
    file.write_text(shell_text(variables, HOME, "$folder"))
    done = subprocess.run(
        ["/bin/sh", "-c", 'folder="/a b"; . "$0"; /usr/bin/env -0', file],
        env={"PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
    assert found["PATH"] == "/a b/bin:/usr/bin"
    assert found["PRICE"] == "5$ or $6; 'quoted' `x` \"y\""
    assert found["DATA"] == "/a b/share:/a b/more"
    assert found["EMPTY"] == ""


def test_what_is_unpacked_belongs_to_the_person_and_has_no_overlay() -> None:
    variables = {
        "PATH": f"${{HOME}}/overlay/v1/bin:{HOME}/bin:${{PATH}}",
        "PYTHONUSERBASE": "${HOME}/overlay/v1",
    }
    assert without_overlay(variables) == {
        "PATH": f"{HOME}/bin:${{PATH}}",
        "PYTHONNOUSERSITE": "1",
    }


def test_paths_become_those_of_the_other_place() -> None:
    assert plan_variables({"A": "/x/y:/x/z", "B": "b"}, "/x", "/w") == {"A": "/w/y:/w/z", "B": "b"}
