"""conda's words said in PyPI's."""

import pytest

from kernels.errors import LockError
from kernels.site_channel.resolution import Asked, translate


def test_specs_become_requirements() -> None:
    assert translate(
        [
            *("python=3.11", "numpy=1.26", "pandas>=2.2,<3", "scipy==1.14.1", "pip"),
            *("matplotlib-base>=3.9,!=3.9.1", "identify~=2.6.0", "blas=*"),
        ]
    ) == Asked(
        python="3.11",
        requirements=(
            *("numpy==1.26.*", "pandas>=2.2,<3", "scipy==1.14.1", "pip"),
            *("matplotlib>=3.9,!=3.9.1", "identify~=2.6.0", "blas"),
        ),
        aliases={"matplotlib-base": "matplotlib"},
    )


@pytest.mark.parametrize(
    "spec", ["python=3.11", "python=3.11.*", "python==3.11.7", "python=3.11.7"]
)
def test_python_is_one_minor_version(spec: str) -> None:
    assert translate([spec]).python == "3.11"


@pytest.mark.parametrize("spec", ["python", "python=3", "python>=3.11", "python<4", "python=2.7"])
def test_a_python_without_a_minor_version_is_told(spec: str) -> None:
    with pytest.raises(LockError) as caught:
        translate([spec])
    assert str(caught.value) == (
        f"'{spec}': no conda channel answers, and the site channel needs one minor version of "
        "Python, for example 'python=3.11'."
    )


def test_a_choice_between_versions_is_told() -> None:
    with pytest.raises(LockError, match=r"'numpy=1\|2': no conda channel answers, and a choice"):
        translate(["python=3.11", "numpy=1|2"])
