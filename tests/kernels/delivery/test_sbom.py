"""A bill of materials is valid CycloneDX 1.6, tells all, and is the same every time."""

import json
from dataclasses import replace
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from kernels.conda import CondaPackage
from kernels.delivery.sbom import make_sbom
from kernels.delivery.version import Version
from kernels.locking.lock import make_lock
from kernels.projects import Project
from kernels.store import Environment, Store

pytestmark = pytest.mark.slow  # each locks a project of its own, pip part and all


@pytest.fixture(name="version")
def _version(project: Project, store: Store) -> Version:
    lock = make_lock(project, store, lambda _step: None)
    told = replace(
        lock,
        conda=(
            *lock.conda,
            package(
                "scipy", "https://user:secret@conda.example/t/tk-1/forge/", license="BSD-3-Clause"
            ),
            package("odd", "site", license="whatever its author says"),
        ),
    )
    path = store.project(project) / "envs/v1-aaaaaaaaaaaa"
    info = path / "lib/python3.11/site-packages/report-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: report\nLicense-Expression: MIT OR Apache-2.0\n")
    return Version(project, Environment("a", "b", 1, lock.digest[:12], path), told)


def package(name: str, channel: str, license: str) -> CondaPackage:  # noqa: A002
    return CondaPackage(
        *(name, "1.0", "py_0", 0, channel, f"linux-64/{name}-1.0-py_0.conda", "ab" * 32),
        *(None, 1, None, license, ("python >=3", "numpy", "__glibc >=2.17"), (), None),
    )


def test_it_is_valid_and_the_same_every_time(version: Version) -> None:
    text = make_sbom(version)
    assert text == make_sbom(version)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert "timestamp" not in text


def test_every_package_is_in_it_with_its_hash_and_name(version: Version) -> None:
    table = json.loads(make_sbom(version))
    components = {one["name"]: one for one in table["components"]}
    assert len(components) == len(version.lock.conda) + len(version.lock.pip)
    for one in (*version.lock.conda, *version.lock.pip):
        assert components[one.name]["hashes"] == [{"alg": "SHA-256", "content": one.sha256}]
    scipy = "pkg:conda/scipy@1.0?build=py_0&channel=https://conda.example/forge/"
    assert components["scipy"]["purl"].startswith(scipy)
    assert components["odd"]["purl"] == "pkg:pypi/odd@1.0"
    assert components["report"]["purl"] == (
        "pkg:pypi/report@1.0?file_name=report-1.0-py3-none-any.whl"
    )
    assert table["metadata"]["component"]["name"] == "a/b"


def test_licences_are_told_as_far_as_they_are_known(version: Version) -> None:
    table = json.loads(make_sbom(version))
    licenses = {one["name"]: one.get("licenses") for one in table["components"]}
    assert licenses["scipy"] == [{"license": {"id": "BSD-3-Clause"}}]
    assert licenses["odd"] == [{"license": {"name": "whatever its author says"}}]
    assert licenses["report"] == [{"expression": "MIT OR Apache-2.0"}]


def test_what_needs_what_is_told(version: Version) -> None:
    table = json.loads(make_sbom(version))
    refs = {one["name"]: one["bom-ref"] for one in table["components"]}
    needs: dict[str, Any] = {one["ref"]: one.get("dependsOn", []) for one in table["dependencies"]}
    assert needs[refs["scipy"]] == sorted([refs["numpy"], refs["python"]])
    assert set(needs["a-b-v1"]) == set(refs.values())


def test_no_login_of_a_channel_is_told(version: Version) -> None:
    text = make_sbom(version)
    assert "secret" not in text
    assert "tk-1" not in text
