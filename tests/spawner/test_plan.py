"""The plan of a workspace is the whole wall: what it mounts is what its user is entitled to."""

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.projects import Limits, Project
from kernels.store import Store
from spawner.access import Grant
from spawner.plan import Mount, Workspace, plan_workspace

STORE = Store(Path("/srv/store"))
HOMES = Path("/srv/homes")


def make(slug: str, limits: Limits | None = None) -> Project:
    client, name = slug.split("/")
    return Project(client, name, Path("/p"), client, slug, "d", "o", limits or Limits())


PROJECTS = [
    make("alder-bank/credit-risk", Limits(memory=4 * 1024**3, cpu=2.0)),
    make("alder-bank/fraud"),
    make("birch/credit-risk"),
]


def plan(*groups: str, user: str = "ana", server: str = "") -> Workspace:
    return plan_workspace(user, server, groups, PROJECTS, store=STORE, homes=HOMES)


def test_the_plan_of_a_member_of_a_client_in_full() -> None:
    home = PurePosixPath("/home/-41na")
    assert plan("alder-bank", "birch/other", "staff", user="Ana") == Workspace(
        user="Ana",
        name="-41na",
        home=home,
        grants=(Grant("alder-bank"), Grant("birch", "other"), Grant("staff")),
        mounts=(
            Mount(Path("/srv/homes/-41na"), home, read_only=False),
            Mount(Path("/srv/store/alder-bank"), PurePosixPath("/opt/perijove/alder-bank")),
            Mount(
                Path("/srv/store/alder-bank/credit-risk/examples"),
                home / "examples/alder-bank/credit-risk",
            ),
            Mount(Path("/srv/store/alder-bank/fraud/examples"), home / "examples/alder-bank/fraud"),
        ),
        environment={
            "HOME": "/home/-41na",
            "USER": "Ana",
            "SHELL": "/bin/bash",
            "LANG": "C.UTF-8",
            "PERIJOVE_STORE": "/opt/perijove",
        },
        limits=Limits(memory=4 * 1024**3, cpu=2.0),
        labels={"perijove.user": "Ana", "perijove.server": ""},
    )


def test_a_member_of_a_project_sees_that_project_alone() -> None:
    sources = [mount.source for mount in plan("alder-bank/fraud").mounts]
    assert sources == [
        Path("/srv/homes/ana"),
        Path("/srv/store/alder-bank/fraud"),
        Path("/srv/store/alder-bank/fraud/examples"),
    ]


def test_a_member_of_nothing_sees_a_home() -> None:
    assert [mount.source for mount in plan().mounts] == [Path("/srv/homes/ana")]


def test_a_named_server_is_another_workspace_with_the_same_home() -> None:
    default, named = plan("birch"), plan("birch", server="gpu")
    assert (default.name, named.name) == ("ana", "ana---gpu")
    assert default.mounts == named.mounts
    assert named.labels == {"perijove.user": "ana", "perijove.server": "gpu"}


def test_only_the_home_may_be_written() -> None:
    workspace = plan("alder-bank", "birch")
    assert [mount.target for mount in workspace.mounts if not mount.read_only] == [workspace.home]


def test_the_examples_folder_is_in_the_home() -> None:
    assert plan().examples == PurePosixPath("/home/ana/examples")


@pytest.mark.parametrize("user", ["..", "../b", "/", "a/b", ".ssh", "\0", "b\n"])
def test_no_users_name_leads_out_of_the_homes(user: str) -> None:
    workspace = plan(user=user)
    assert workspace.mounts[0].source.parent == HOMES
    assert workspace.home.parent == PurePosixPath("/home")
    assert workspace.home.name not in {"", ".", ".."}


NAMES = st.sampled_from(["a", "b", "a-b", "one", "two"])
SLUGS = st.builds("{}/{}".format, NAMES, NAMES)
GROUPS = st.lists(st.one_of(NAMES, SLUGS, st.sampled_from(["", "/", "a/", "..", "a/..", "a/*"])))


@given(st.lists(SLUGS, unique=True, max_size=8), GROUPS)
def test_no_mount_shows_a_project_the_user_is_not_entitled_to(
    slugs: list[str], groups: list[str]
) -> None:
    projects = [make(slug) for slug in slugs]
    workspace = plan_workspace("ana", "", groups, projects, store=STORE, homes=HOMES)
    entitled = {
        project.slug for project in projects if {project.client, project.slug} & set(groups)
    }
    shown = set()
    for mount in workspace.mounts[1:]:
        assert mount.source != STORE.root
        assert mount.source.is_relative_to(STORE.root)
        assert mount.read_only
        covered = {
            project.slug
            for project in projects
            if STORE.project(project).is_relative_to(mount.source)
            or mount.source.is_relative_to(STORE.project(project))
        }
        assert covered <= entitled
        shown |= covered
    assert shown == entitled


@given(st.lists(SLUGS, unique=True, max_size=8), GROUPS)
def test_no_two_mounts_of_the_store_lie_in_each_other(slugs: list[str], groups: list[str]) -> None:
    projects = [make(slug) for slug in slugs]
    workspace = plan_workspace("ana", "", groups, projects, store=STORE, homes=HOMES)
    targets = [mount.target for mount in workspace.mounts]
    assert len(set(targets)) == len(targets)
    inside = [target for target in targets if target.is_relative_to(PurePosixPath(STORE.mount))]
    for one in inside:
        assert not any(one != other and one.is_relative_to(other) for other in inside)
