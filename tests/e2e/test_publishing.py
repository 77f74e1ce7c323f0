"""A version published while people work: they see it at once, and lose nothing."""

import json

import pytest

from tests.e2e.conftest import Started
from tests.e2e.platform import Platform

pytestmark = pytest.mark.e2e


def test_a_new_version_is_listed_at_once_and_running_kernels_stay(
    platform: Platform, started: Started
) -> None:
    client = started("lakeside-hospital")
    old = client.start_kernel("lakeside-hospital.ct-imaging")
    old.run("kept = 42")
    prefix = old.run("import sys; print(sys.prefix)").text
    environment_yml = platform.projects / "lakeside-hospital/ct-imaging/environment.yml"
    environment_yml.write_text(environment_yml.read_text() + "  - cycler\n")

    built = platform.perijove("build", "lakeside-hospital/ct-imaging", "--json")
    assert built.returncode == 0, built.stderr
    assert json.loads(built.stdout)["lakeside-hospital/ct-imaging"]["version"] == 2
    assert "lakeside-hospital.ct-imaging.v2" not in client.kernels()

    published = platform.perijove("publish", "lakeside-hospital/ct-imaging")
    assert published.returncode == 0, published.stderr
    kernels = client.kernels()  # the very next listing
    assert "lakeside-hospital.ct-imaging.v2" in kernels
    stable = kernels["lakeside-hospital.ct-imaging"]["spec"]["metadata"]["perijove"]
    assert stable["version"] == 2

    assert old.run("print(kept)").text == "42\n"
    assert old.run("print(sys.prefix)").text == prefix
    new = client.start_kernel("lakeside-hospital.ct-imaging")
    assert "/envs/v2-" in new.run("import sys; print(sys.prefix)").text
    pinned = client.start_kernel("conda-env-lakeside-hospital_ct-imaging_v1-py")
    assert pinned.run("import sys; print(sys.prefix)").text == prefix


def test_an_example_published_later_appears_in_a_running_workspace(
    platform: Platform, started: Started
) -> None:
    client = started("norrland-works")
    examples = platform.projects / "norrland-works/machine-health/examples"
    first = next(examples.glob("*.ipynb"))
    (examples / "second.ipynb").write_text(first.read_text())
    assert platform.perijove("publish", "norrland-works/machine-health").returncode == 0
    listed = client.server("GET", "api/contents/examples/norrland-works/machine-health").json()
    assert {entry["name"] for entry in listed["content"]} == {first.name, "second.ipynb"}


def test_status_tells_who_works_and_what_is_published(platform: Platform, started: Started) -> None:
    client = started("alder-bank")
    told = json.loads(platform.perijove("status", "--json").stdout)
    assert told["platform"] == {
        "running": True,
        "url": f"{platform.url}/",
        "workspaces": [client.user],
    }
    risk = next(one for one in told["projects"] if one["project"] == "alder-bank/credit-risk")
    assert (risk["published"], risk["built"], risk["channels"]) == (1, [1], ["site"])


def test_a_new_project_is_in_the_launcher_of_those_at_work_after_one_command(
    platform: Platform, started: Started
) -> None:
    client = started("norrland-works")
    project = platform.projects / "norrland-works/noise"
    (project / "examples").mkdir(parents=True)
    (project / "project.toml").write_text(
        'title = "Noise"\ndescription = "Listens to bearings."\nowner = "noise@norrland.example"\n'
    )
    (project / "environment.yml").write_text("dependencies:\n  - python=3.11\n")
    built = platform.perijove("build", "--publish", "norrland-works/noise")
    assert built.returncode == 0, built.stderr
    assert "norrland-works.noise" in client.kernels()
    kernel = client.start_kernel("norrland-works.noise")
    assert kernel.run("print(1 + 1)").text == "2\n"
    groups = platform.client(platform.admin).hub("GET", "groups").json()
    assert "norrland-works/noise" in {group["name"] for group in groups}
