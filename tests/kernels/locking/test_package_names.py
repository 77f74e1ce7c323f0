"""conda and PyPI names by the kept map."""

import pytest

from kernels.errors import LockError
from kernels.locking import package_names
from kernels.locking.package_names import conda_name, pypi_name


@pytest.mark.parametrize(
    ("conda", "pypi"),
    [
        *(("numpy", "numpy"), ("matplotlib-base", "matplotlib"), ("pytorch", "torch")),
        *(("jupyter_client", "jupyter-client"), ("msgpack-python", "msgpack")),
    ],
)
def test_a_package_is_known_by_both_its_names(conda: str, pypi: str) -> None:
    assert pypi_name(conda) == pypi
    assert conda_name(pypi) == conda


def test_a_package_that_is_not_listed_keeps_its_name() -> None:
    assert pypi_name("no-such_Package") == "no-such-package"
    assert conda_name("No.Such_Package") == "no-such-package"


def test_several_names_are_never_chosen_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_names, "_tables", lambda: ({}, {"two": ["two-b", "two-a"]}))
    with pytest.raises(LockError) as caught:
        pypi_name("two")
    assert str(caught.value) == (
        "conda's 'two' is two-a or two-b in the PyPI registry, and no conda channel answers; name "
        "the one you want under 'pip:'."
    )
