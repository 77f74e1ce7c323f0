"""conda's `environment.yml` is read into a value; what is wrong is told by file, key and line."""

from pathlib import Path

import pytest

from kernels.environment_yml import Requirements, load_requirements
from kernels.errors import ProjectError


def load(tmp_path: Path, text: str | bytes) -> Requirements:
    file = tmp_path / "environment.yml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_requirements(file)


def refusal(tmp_path: Path, text: str | bytes) -> str:
    with pytest.raises(ProjectError) as caught:
        load(tmp_path, text)
    start = f"{tmp_path}/environment.yml: "
    assert str(caught.value).startswith(start)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(start)


def test_the_whole_format_is_read(tmp_path: Path) -> None:
    text = """
name: read-past
prefix: /read/past/too
channels: [conda-forge, nodefaults, https://conda.example/own]
dependencies:
  - python=3.11
  - numpy >=1.26,<3  # a comment
  - conda-forge::pandas=2.2
  - ipykernel=6.29
  - pip
  - pip:
    - tiktoken>=0.8
    - httpx[http2]==0.28.*; python_version > "3.8"
variables: {DATA: /data, THREADS: 4, RATE: 0.5}
"""
    assert load(tmp_path, text) == Requirements(
        conda=(
            "python=3.11",
            "numpy >=1.26,<3",
            "conda-forge::pandas=2.2",
            "ipykernel=6.29",
            "pip",
        ),
        pip=("tiktoken>=0.8", 'httpx[http2]==0.28.*; python_version > "3.8"'),
        channels=("conda-forge", "https://conda.example/own"),
        variables={"DATA": "/data", "THREADS": "4", "RATE": "0.5"},
    )


def test_ipykernel_and_pip_are_added_where_they_are_not_asked_for(tmp_path: Path) -> None:
    found = load(tmp_path, "dependencies: [python=3.11]").conda
    assert found == ("python=3.11", "ipykernel", "pip")


@pytest.mark.parametrize("spec", ["ipykernel", "ipykernel>=6", "conda-forge::ipykernel=7"])
def test_ipykernel_is_not_added_twice(tmp_path: Path, spec: str) -> None:
    assert load(tmp_path, f"dependencies: [python, '{spec}']").conda == ("python", spec, "pip")


def test_conda_forge_is_the_channel_if_none_is_named(tmp_path: Path) -> None:
    for channels in ("", "channels:", "channels: []", "channels: [nodefaults]"):
        found = load(tmp_path, f"{channels}\ndependencies: [python=3.11]")
        assert found.channels == ("conda-forge",)


def test_an_empty_pip_part_is_none(tmp_path: Path) -> None:
    assert load(tmp_path, "dependencies: [python=3.11, pip:]").pip == ()


def test_broken_yaml_is_told_with_its_place(tmp_path: Path) -> None:
    told = refusal(tmp_path, "dependencies:\n  - python=3.11\n - numpy\n")
    assert told.startswith("not valid YAML: ")
    assert "line 3, column 2" in told


def test_yaml_that_is_no_text_or_no_date_is_told(tmp_path: Path) -> None:
    assert refusal(tmp_path, b"name: \xff").startswith("not valid YAML: 'utf-8' codec can't")
    assert refusal(tmp_path, "name: 2026-13-45").startswith("not valid YAML: month must be")


def test_yaml_cannot_make_objects(tmp_path: Path) -> None:
    told = refusal(tmp_path, "name: !!python/object/apply:os.system [true]")
    assert "could not determine a constructor" in told


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        load_requirements(tmp_path / "environment.yml")
    assert str(caught.value) == (
        f"{tmp_path}/environment.yml: the file is missing; it lists the project's packages."
    )


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "environment.yml").mkdir()
    with pytest.raises(ProjectError, match=r"environment.yml: cannot be read \(Is a directory\)"):
        load_requirements(tmp_path / "environment.yml")


ALL_KEYS = "name, channels, dependencies, variables, prefix"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found None, expected keys such as 'dependencies'."),
        ("- python", "found ['python'], expected keys such as 'dependencies'."),
        ("dependancies: []", f"dependancies: unknown key; expected one of: {ALL_KEYS}."),
        ("1: []", f"1: unknown key; expected one of: {ALL_KEYS}."),
        ("name: x", "dependencies: found None, expected a list of packages."),
        ("dependencies:", "dependencies: found None, expected a list of packages."),
        ("dependencies: []", "dependencies: found [], expected a list of packages."),
        ("dependencies: python", "dependencies: found 'python', expected a list of packages."),
        (
            "dependencies: [numpy]",
            "dependencies: no python; expected its version, for example 'python=3.11'.",
        ),
        (
            "dependencies: [python=3.11, 3.11]",
            "dependencies: found 3.11, expected a package such as 'numpy=2.1' or a 'pip:' list.",
        ),
        ("dependencies: [python, null]", "dependencies: found None, expected a package such as"),
        ("dependencies: [python, {conda: [x]}]", "dependencies: found {'conda': ['x']}, expected"),
        (
            "dependencies: [python, 'nu*py']",
            (
                "dependencies: found 'nu*py', expected a conda package such as 'numpy=2.1' or "
                "'pandas>=2,<3'."
            ),
        ),
        ("dependencies: [python, '']", "dependencies: found '', expected a conda package such as"),
        ("dependencies: [python, -e .]", "dependencies: found '-e .', expected a conda package"),
        (
            "dependencies: [python, 'https://conda.example/noarch/x-1-0.conda']",
            (
                "dependencies: found the address 'https://conda.example/noarch/x-1-0.conda', "
                "expected "
                "a package name and version: what stands at an address can change."
            ),
        ),
        ("dependencies: [python, /srv/x-1-0.tar.bz2]", "dependencies: found the address '/srv/x"),
        ("channels: conda-forge", "dependencies: found None"),
    ],
)
def test_what_is_wrong_is_told_by_key(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text).startswith(message)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "-e .",
            (
                "pip: found '-e .', expected a published package: a local or editable checkout "
                "cannot "
                "be rebuilt elsewhere; publish it as a wheel and name that."
            ),
        ),
        ("--editable ../x", "pip: found '--editable ../x', expected a published package"),
        ("./x", "pip: found './x', expected a published package"),
        ("/srv/x", "pip: found '/srv/x', expected a published package"),
        (
            "-r requirements.txt",
            (
                "pip: found the option '-r requirements.txt', expected a requirement such as "
                "'tiktoken>=0.8'; indexes are the site's own setting, and other files are listed "
                "here."
            ),
        ),
        ("--index-url https://x", "pip: found the option '--index-url https://x', expected"),
        (
            "numpy=1.26",
            "pip: found 'numpy=1.26', expected a requirement such as 'tiktoken>=0.8': ",
        ),
        ("git+https://x.example/y", "pip: found 'git+https://x.example/y', expected a requirement"),
        (
            "x @ https://x.example/x.whl",
            (
                "pip: found the address 'https://x.example/x.whl', expected a package name and "
                "version: what stands at an address can change."
            ),
        ),
    ],
)
def test_a_pip_line_that_cannot_be_kept_is_refused_with_the_line(
    tmp_path: Path, line: str, message: str
) -> None:
    text = f"dependencies: [python=3.11, {{pip: ['{line}']}}]"
    assert refusal(tmp_path, text).startswith(message)


@pytest.mark.parametrize("value", ["tiktoken", "[1]", "{a: b}"])
def test_a_pip_part_that_is_no_list_is_told(tmp_path: Path, value: str) -> None:
    told = refusal(tmp_path, f"dependencies: [python, {{pip: {value}}}]")
    assert told.endswith("expected a list of requirements.")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("conda-forge", "channels: found 'conda-forge', expected a list of channels."),
        ("[1]", "channels: found [1], expected a list of channels."),
        ("{a: b}", "channels: found {'a': 'b'}, expected a list of channels."),
        ("['']", "channels: found '', expected a name such as 'conda-forge' or an address."),
        ("['https://']", "channels: found 'https://', expected a name such as 'conda-forge'"),
    ],
)
def test_wrong_channels_are_told(tmp_path: Path, value: str, message: str) -> None:
    told = refusal(tmp_path, f"channels: {value}\ndependencies: [python=3.11]")
    assert told.startswith(message)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("[A]", "variables: found ['A'], expected names with values."),
        ("{A: [1]}", "variables: found {'A': [1]}, expected names with values."),
        ("{A: }", "variables: found {'A': None}, expected names with values."),
        ("{A-B: 1}", "variables: found 'A-B' with 1, expected a name of letters, digits and '_'"),
        ("{'A=B': 1}", "variables: found 'A=B' with 1, expected a name of letters, digits and"),
        ('{A: "\\0"}', "variables: found 'A' with '\\x00', expected a name of letters, digits"),
    ],
)
def test_wrong_variables_are_told(tmp_path: Path, value: str, message: str) -> None:
    told = refusal(tmp_path, f"variables: {value}\ndependencies: [python=3.11]")
    assert told.startswith(message)
