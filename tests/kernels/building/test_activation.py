"""What activation would set is recorded once, as workspaces will see it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kernels.building import activation
from kernels.building.build import build_environment
from kernels.errors import BuildError
from kernels.locking.lock import make_lock
from kernels.projects import Project
from kernels.store import FINISHED, Environment, Store

MakeProject = Callable[..., Project]
OVERLAY = "${HOME}/.local/share/perijove/overlays/a/b/v1"


def quiet(_step: str) -> None:
    pass


def build(
    make_project: MakeProject, store: Store, *dependencies: str, extra: str = ""
) -> Environment:
    project = make_project("a/b", *dependencies, extra=extra)
    return build_environment(project, make_lock(project, store, quiet), store, quiet)


def recorded(environment: Environment) -> dict[str, str]:
    found: dict[str, str] = json.loads((environment.path / FINISHED).read_text())["variables"]
    return found


@pytest.mark.slow
def test_what_every_kernel_starts_with(make_project: MakeProject, store: Store) -> None:
    environment = build(make_project, store)
    prefix = str(store.target(environment.path))
    assert recorded(environment) == {
        "PATH": f"{OVERLAY}/bin:{prefix}/bin:${{PATH}}",
        "CONDA_PREFIX": prefix,
        "CONDA_SHLVL": "1",
        "CONDA_DEFAULT_ENV": "a_b_v1",
        "CONDA_PROMPT_MODIFIER": "(a_b_v1) ",
        "PYTHONUSERBASE": OVERLAY,
    }


def test_the_variables_of_environment_yml_are_given_as_they_stand(
    make_project: MakeProject, store: Store
) -> None:
    text = "variables:\n  DATA: /data\n  PRICE: 5$ or ${HOME}\n  THREADS: 4\n"
    found = recorded(build(make_project, store, extra=text))
    assert (found["DATA"], found["THREADS"]) == ("/data", "4")
    assert found["PRICE"] == "5$$ or $${HOME}"  # Jupyter reads `$$` as `$`


def test_activation_scripts_are_recorded_in_paths_of_the_workspace(
    make_project: MakeProject, store: Store
) -> None:
    environment = build(make_project, store, "sets-variable")
    prefix = store.target(environment.path)
    found = recorded(environment)
    assert found["PROJ_DATA"] == f"{prefix}/share/proj"
    assert found["PRICE"] == "5$$ or $$6"
    assert found["PATH"] == f"{OVERLAY}/bin:{prefix}/bin:${{PATH}}"
    assert not {"HOME", "PWD", "SHLVL", "_", "OLDPWD"} & set(found)


def test_environment_yml_has_the_last_word(make_project: MakeProject, store: Store) -> None:
    text = "variables: {PROJ_DATA: /own}\n"
    found = recorded(build(make_project, store, "sets-variable", extra=text))
    assert found["PROJ_DATA"] == "/own"


def test_a_script_that_depends_on_home_is_refused(make_project: MakeProject, store: Store) -> None:
    with pytest.raises(BuildError) as caught:
        build(make_project, store, "reads-home")
    assert str(caught.value) == (
        "a_b_v1: an activation script sets DATA from the user's own surroundings, which cannot be "
        "recorded; leave that package out."
    )
    assert store.environments(make_project("a/b")) == []


def test_a_script_that_fails_is_told_with_its_words(
    make_project: MakeProject, store: Store
) -> None:
    with pytest.raises(BuildError, match="a_b_v1: an activation script failed: no licence"):
        build(make_project, store, "fails")


def test_a_variable_set_for_one_user_only_is_refused(
    make_project: MakeProject, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([{"PATH": "x"}, {"PATH": "x", "ONLY": "second"}])
    monkeypatch.setattr(activation, "_run_scripts", lambda *_arguments: next(answers))
    with pytest.raises(BuildError, match="an activation script sets ONLY from"):
        build(make_project, store, "sets-variable")


def test_a_script_cannot_write_to_environments_or_caches(
    make_project: MakeProject,
    store: Store,
    walled: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    if not walled:
        pytest.skip("bubblewrap does not run here, and without it scripts run as they are")
    first = build(make_project, store)
    victim = first.path / "lib/python3.11/site-packages/ipykernel_launcher.py"
    before = victim.read_text()
    monkeypatch.setattr(
        activation,
        "activation_script",
        lambda *_arguments: (
            f"for f in {victim} {store.target(victim)} {store.root}/planted; do "
            "{ chmod u+w $f; echo changed > $f; } 2>/dev/null; done; true"
        ),
    )
    build(make_project, store, "sets-variable")
    assert victim.read_text() == before
    assert not (store.root / "planted").exists()
