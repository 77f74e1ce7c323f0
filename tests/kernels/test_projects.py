"""What a client project may say of itself, and what it is told when it says it wrongly."""

from pathlib import Path

import pytest

from kernels.errors import ProjectError
from kernels.platform import Platform
from kernels.projects import Limits, Project, load_projects, parse_memory

PLAIN = 'title = "Credit risk"\ndescription = "A scorecard."\nowner = "models@alder.example"\n'


def write(
    root: Path, slug: str, project: str = PLAIN, client: str = 'title = "Alder Bank"'
) -> Path:
    directory = root / slug
    directory.mkdir(parents=True)
    (directory.parent / "client.toml").write_text(client)
    (directory / "project.toml").write_text(project)
    return directory


def test_a_project_is_read_into_a_value(tmp_path: Path) -> None:
    limits = '[limits]\nmemory = "1.5G"\ncpu = 2\ngpus = 1\n'
    platform = '[platform]\nglibc = "2.36"\narchspec = "x86_64_v3"\ncuda = "12.4"\n'
    path = write(tmp_path, "alder-bank/credit-risk", PLAIN + limits + platform)
    (project,) = load_projects(tmp_path).projects
    assert project == Project(
        client="alder-bank",
        name="credit-risk",
        path=path,
        client_title="Alder Bank",
        title="Credit risk",
        description="A scorecard.",
        owner="models@alder.example",
        limits=Limits(memory=3 * 1024**3 // 2, cpu=2.0, gpus=1),
        platform=Platform("linux-64", "2.36", "x86_64_v3", "12.4"),
    )
    assert project.slug == "alder-bank/credit-risk"
    assert project.kernel_name == "alder-bank.credit-risk"
    assert project.display_name == "Alder Bank · Credit risk"
    assert project.environment_yml == path / "environment.yml"
    assert project.examples == path / "examples"


def test_limits_and_platform_need_not_be_given(tmp_path: Path) -> None:
    write(tmp_path, "alder-bank/credit-risk")
    (project,) = load_projects(tmp_path).projects
    assert (project.limits, project.platform) == (Limits(), Platform())


def test_projects_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for slug in ("b/one", "a/two", "a/one"):
        write(tmp_path, slug, PLAIN.replace("Credit risk", slug))
    assert [project.slug for project in load_projects(tmp_path).projects] == [
        *("a/one", "a/two", "b/one")
    ]


def test_files_and_hidden_directories_are_no_projects(tmp_path: Path) -> None:
    write(tmp_path, "alder-bank/credit-risk")
    (tmp_path / "README.md").write_text("Read me.")
    (tmp_path / ".git/objects").mkdir(parents=True)
    (tmp_path / "alder-bank/.cache").mkdir()
    found = load_projects(tmp_path)
    assert (len(found.projects), found.problems) == (1, ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "project.toml: the file is missing; every client and project has one."),
        ("title = ", "project.toml: not valid TOML: Invalid value (at end of document)."),
        (b"title = '\xff'", "project.toml: not valid TOML: 'utf-8' codec can't decode"),
        (
            PLAIN + 'colour = "red"',
            (
                "project.toml: colour: unknown key; expected one of: "
                "description, limits, owner, platform, title."
            ),
        ),
        (PLAIN.replace('"Credit risk"', "7"), "project.toml: title: found 7, expected some text."),
        (PLAIN.replace("Credit risk", " "), "project.toml: title: found ' ', expected some text."),
        ('title = "T"\ndescription = "D"', "project.toml: owner: found nothing, expected some"),
        (PLAIN + "limits = 2", "project.toml: limits: found 2, expected a table [limits]."),
        (
            PLAIN + '[limits]\ndisk = "1G"',
            "project.toml: limits.disk: unknown key; expected one of: cpu, gpus, memory.",
        ),
        (
            PLAIN + "[limits]\ngpus = 0.5",
            "project.toml: limits.gpus: found 0.5, expected a whole number.",
        ),
        (
            PLAIN + "[limits]\nmemory = 2",
            "project.toml: limits.memory: found 2, expected a size such as '512M' or '2G'.",
        ),
        (PLAIN + '[limits]\nmemory = "2GB"', "limits.memory: found '2GB', expected a size such"),
        (PLAIN + '[limits]\nmemory = "0G"', "limits.memory: found '0G', expected a size such"),
        (PLAIN + '[limits]\ncpu = "2"', "project.toml: limits.cpu: found '2', expected a number"),
        (PLAIN + "[limits]\ncpu = 0", "limits.cpu: found 0, expected a number above 0."),
        (PLAIN + "[limits]\ncpu = true", "limits.cpu: found True, expected a number above 0."),
        (PLAIN + "[limits]\ncpu = nan", "limits.cpu: found nan, expected a number above 0."),
        (PLAIN + "[limits]\ncpu = inf", "limits.cpu: found inf, expected a number above 0."),
        (PLAIN + "platform = []", "project.toml: platform: found [], expected a table [platform]."),
        (
            PLAIN + "[platform]\ngpu = 1",
            "platform.gpu: unknown key; expected one of: archspec, cuda, glibc, subdir.",
        ),
        (
            PLAIN + '[platform]\nsubdir = "win-64"',
            "platform.subdir: found 'win-64', expected 'linux-64' or 'linux-aarch64'.",
        ),
        (PLAIN + "[platform]\nglibc = 2.28", "platform.glibc: found 2.28, expected a version such"),
        (PLAIN + '[platform]\nglibc = "musl"', "platform.glibc: found 'musl', expected a version"),
        (PLAIN + '[platform]\narchspec = "V3 "', "platform.archspec: found 'V3 ', expected a name"),
        (
            PLAIN + '[platform]\ncuda = "12"',
            "platform.cuda: found '12', expected a version such as",
        ),
    ],
)
def test_a_bad_project_toml_is_told_by_file_and_key(
    tmp_path: Path, text: str | bytes | None, message: str
) -> None:
    file = write(tmp_path, "alder-bank/credit-risk") / "project.toml"
    if text is None:
        file.unlink()
    else:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    found = load_projects(tmp_path)
    (problem,) = found.problems
    assert found.projects == ()
    assert str(problem).startswith(str(file.parent))
    assert message in str(problem)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "client.toml: title: found nothing, expected some text."),
        ('name = "Alder"', "client.toml: name: unknown key; expected one of: title."),
        ("title", "client.toml: not valid TOML: "),
    ],
)
def test_a_bad_client_toml_is_told_once_for_all_its_projects(
    tmp_path: Path, text: str, message: str
) -> None:
    write(tmp_path, "alder-bank/credit-risk")
    write(tmp_path, "alder-bank/fraud", client=text)
    found = load_projects(tmp_path)
    (problem,) = found.problems
    assert found.projects == ()
    assert f"{tmp_path}/alder-bank/{message}" in str(problem)


def test_a_client_without_its_file_is_told(tmp_path: Path) -> None:
    write(tmp_path, "alder-bank/credit-risk")
    (tmp_path / "alder-bank/client.toml").unlink()
    (problem,) = load_projects(tmp_path).problems
    assert str(problem) == (
        f"{tmp_path}/alder-bank/client.toml: the file is missing; every client and project has one."
    )


@pytest.mark.parametrize(
    "name", ["Credit Risk", "credit_risk", "credit--risk", "-x", "a" * 41, "é", "users"]
)
def test_an_illegal_project_name_is_told_with_the_rule(tmp_path: Path, name: str) -> None:
    write(tmp_path, f"alder-bank/{name}")
    (problem,) = load_projects(tmp_path).problems
    assert str(problem) == (
        f"{tmp_path}/alder-bank/{name}: '{name}' cannot name a project: expected lower-case "
        "letters, digits and single hyphens between them, at most 40, and not 'users', "
        "'properties' or 'admins'; rename the directory."
    )


def test_an_illegal_client_name_is_told_with_the_rule(tmp_path: Path) -> None:
    write(tmp_path, "Alder/credit-risk")
    (problem,) = load_projects(tmp_path).problems
    assert "Alder: 'Alder' cannot name a client: expected lower-case letters" in str(problem)


def test_two_projects_with_one_kernel_name_are_told_apart_or_refused(tmp_path: Path) -> None:
    write(tmp_path, "alder-bank/credit-risk")
    second = write(tmp_path, "alder-bank/risk-of-credit")
    found = load_projects(tmp_path)
    assert [project.slug for project in found.projects] == ["alder-bank/credit-risk"]
    assert [str(problem) for problem in found.problems] == [
        (
            f"{second}/project.toml: title: the kernel name 'Alder Bank · Credit risk' is taken by "
            "alder-bank/credit-risk; expected a title that tells the two apart."
        )
    ]


def test_a_project_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    write(tmp_path, "alder-bank/broken", "title = ")
    write(tmp_path, "birch/good")
    directory_for_file = write(tmp_path, "alder-bank/strange") / "project.toml"
    directory_for_file.unlink()
    directory_for_file.mkdir()
    found = load_projects(tmp_path)
    assert [project.slug for project in found.projects] == ["birch/good"]
    assert [str(problem) for problem in found.problems] == [
        (
            f"{tmp_path}/alder-bank/broken/project.toml: not valid TOML: Invalid value (at end of "
            "document)."
        ),
        (
            f"{directory_for_file}: cannot be read (Is a directory); expected a file that the "
            "builder "
            "may read."
        ),
    ]


def test_a_missing_projects_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"absent: cannot be read \(No such file or directory\)"):
        load_projects(tmp_path / "absent")


def test_a_project_is_found_by_its_slug_or_its_kernel_name(tmp_path: Path) -> None:
    write(tmp_path, "alder-bank/credit-risk")
    found = load_projects(tmp_path)
    assert found.find("alder-bank/credit-risk") is found.find("alder-bank.credit-risk")
    with pytest.raises(ProjectError) as caught:
        found.find("alder-bank/none")
    assert str(caught.value) == (
        "There is no project 'alder-bank/none'; the projects are: alder-bank/credit-risk."
    )


def test_a_size_is_in_powers_of_1024() -> None:
    sizes = {"1K": 1024, "512M": 512 * 1024**2, "1.5G": 1536 * 1024**2, "1T": 1024**4}
    assert {text: parse_memory(text) for text in sizes} == sizes


@pytest.mark.parametrize("text", ["", "2", "G", "-1G", "1g", "1 G", "1GiB", "0M", "1.G", "\uff11G"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the text is the caller's to explain
        parse_memory(text)
