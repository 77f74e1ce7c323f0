"""Every client and every project has its group, made empty."""

from pathlib import Path

from spawner.groups import plan_groups

PROJECT = 'title = "{0}"\ndescription = "d"\nowner = "o"\n'


def test_groups_are_those_of_clients_and_projects(tmp_path: Path) -> None:
    for slug in ("birch/one", "alder/two", "alder/one"):
        directory = tmp_path / slug
        directory.mkdir(parents=True)
        (directory.parent / "client.toml").write_text(f'title = "{slug.split("/")[0]}"\n')
        (directory / "project.toml").write_text(PROJECT.format(slug))
    (tmp_path / "broken/project").mkdir(parents=True)
    assert plan_groups(tmp_path) == {
        "admins": {"users": []},
        "alder": {"users": []},
        "alder/one": {"users": []},
        "alder/two": {"users": []},
        "birch": {"users": []},
        "birch/one": {"users": []},
    }


def test_no_two_groups_share_their_list_of_users(tmp_path: Path) -> None:
    directory = tmp_path / "a/b"
    directory.mkdir(parents=True)
    (tmp_path / "a/client.toml").write_text('title = "A"\n')
    (directory / "project.toml").write_text(PROJECT.format("B"))
    groups = plan_groups(tmp_path)
    assert groups["a"]["users"] is not groups["a/b"]["users"]
