"""channels.toml and the file with logins: read strictly, and no login is ever repeated."""

import json
from pathlib import Path
from typing import Any

import pytest

from kernels.channels import PLAIN, Channels, has_secret, hide_secrets, load_channels
from kernels.environment_yml import load_requirements
from kernels.errors import ProjectError, StoreError

SECRET = "tk-5ecret"


def test_without_a_file_there_are_no_settings(tmp_path: Path) -> None:
    assert load_channels(tmp_path / "channels.toml") == PLAIN


def test_all_of_it(tmp_path: Path) -> None:
    file = tmp_path / "channels.toml"
    file.write_text(
        '[aliases]\nacme = "https://conda.acme.example/acme/"\n'
        '[mirrors]\nconda-forge = ["https://mirror.example/cf", "file:///srv/cf"]\n'
    )
    known = load_channels(file)
    assert known == Channels(
        aliases={"acme": "https://conda.acme.example/acme/"},
        mirrors={"conda-forge": ("https://mirror.example/cf", "file:///srv/cf")},
    )
    assert known.address("acme") == "https://conda.acme.example/acme"
    assert known.address("acme/label/dev") == "https://conda.acme.example/acme/label/dev"
    assert known.address("conda-forge") == "conda-forge"
    assert known.address("https://acme.example/acme") == "https://acme.example/acme"
    file.write_text("offline = true\n")
    assert load_channels(file) == Channels(offline=True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = [", "not valid TOML"),
        ("colour = 1", "colour: unknown key; expected one of: aliases, mirrors, offline"),
        ('offline = "yes"', "offline: found 'yes', expected true or false"),
        ("aliases = 1", r"aliases: found 1, expected a table \[aliases\]"),
        ('[aliases]\n"a/b" = "https://x.example"', "aliases: found the name 'a/b'"),
        ('[aliases]\nacme = "acme"', "aliases.acme: found 'acme', expected an address"),
        ("[aliases]\nacme = 3", "aliases.acme: found 3"),
        ('[mirrors]\nacme = "https://x.example"', "mirrors.acme: found .*, expected a list"),
        ("[mirrors]\nacme = []", "mirrors.acme: found .*, expected a list"),
        ('[mirrors]\nacme = ["ftp://x"]', "mirrors.acme: found 'ftp://x', expected an address"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_key(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "channels.toml"
    file.write_text(text)
    with pytest.raises(ProjectError, match=told) as caught:
        load_channels(file)
    assert str(caught.value).startswith(f"{file}: ")


@pytest.mark.parametrize(
    "address", [f"https://h.example/t/{SECRET}/c", f"https://u:{SECRET}@h.example/c"]
)
@pytest.mark.parametrize(
    "form",
    [
        '[aliases]\na = "{}"',
        '[mirrors]\na = ["{}"]',
        '[mirrors]\n"{}" = ["https://x.y"]',
        'mirrors = "{}"',
    ],
)
def test_a_login_in_the_settings_is_refused_and_not_repeated(
    tmp_path: Path, address: str, form: str
) -> None:
    file = tmp_path / "channels.toml"
    file.write_text(form.format(address))
    with pytest.raises(ProjectError) as caught:
        load_channels(file)
    assert SECRET not in str(caught.value)
    if "mirrors = " not in form:
        assert "put the login into the installation's channel-secrets.json" in str(caught.value)


@pytest.mark.parametrize(
    "address", [f"https://h.example/t/{SECRET}/c", f"https://u:{SECRET}@h.example/c"]
)
@pytest.mark.parametrize(
    "form",
    [
        "channels: ['{}']\ndependencies: [python=3.11]\n",
        "channels: '{}'\ndependencies: [python=3.11]\n",
        "dependencies: [python=3.11, '{}::numpy']\n",
        "dependencies: [python=3.11, '{}/linux-64/numpy-1.conda']\n",
        "dependencies: '{}'\n",
        "dependencies: [python=3.11, {{x: '{}'}}]\n",
        "dependencies: [python=3.11, {{pip: ['--index-url {}']}}]\n",
        "dependencies: [python=3.11, {{pip: ['x @ {}/x.whl']}}]\n",
        "dependencies: [python=3.11, {{pip: '{}'}}]\n",
        "channels: ['{}'\n",
        "'{}'\n",
    ],
)
def test_a_login_in_an_environment_file_is_refused_and_not_repeated(
    tmp_path: Path, address: str, form: str
) -> None:
    file = tmp_path / "environment.yml"
    file.write_text(form.format(address))
    with pytest.raises(ProjectError) as caught:
        load_requirements(file)
    assert SECRET not in str(caught.value)


def test_a_refused_channel_says_where_its_login_belongs(tmp_path: Path) -> None:
    file = tmp_path / "environment.yml"
    file.write_text("channels: ['https://u:p@h.example/c']\ndependencies: [python=3.11]\n")
    with pytest.raises(ProjectError) as caught:
        load_requirements(file)
    assert str(caught.value) == (
        f"{file}: channels: found a login in the address 'https://***@h.example/c', expected the "
        "address alone: put the login into the installation's channel-secrets.json, and change "
        "it, for others may have read it here."
    )


def test_addresses_without_a_login_are_left_as_they_are() -> None:
    for plain in ("conda-forge", "https://h.example/team/c", "file:///t/x", "acme/t/x", "a@b.c"):
        assert not has_secret(plain)
    text = f"GET https://u:{SECRET}@h.example/t/{SECRET}/x and http://{SECRET}@h"
    assert hide_secrets(text) == "GET https://***@h.example/t/***/x and http://***@h"


def logins(tmp_path: Path, content: Any, mode: int = 0o600) -> Path:
    file = tmp_path / "channel-secrets.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    file.chmod(mode)
    return file


@pytest.mark.parametrize(
    "login",
    [
        {"BearerToken": SECRET},
        {"CondaToken": SECRET},
        {"BasicHTTP": {"username": "u", "password": SECRET}},
    ],
)
def test_every_form_of_login_is_taken(tmp_path: Path, login: dict[str, Any]) -> None:
    file = logins(tmp_path, {"conda.acme.example": login, "*.example.com": login})
    assert load_channels(tmp_path / "channels.toml", file).secrets == file


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602, 0o660])
def test_logins_that_others_may_use_are_refused(tmp_path: Path, mode: int) -> None:
    file = logins(tmp_path, {}, mode)
    with pytest.raises(StoreError) as caught:
        load_channels(tmp_path / "channels.toml", file)
    assert str(caught.value) == (
        f"{file}: others than its owner may use it (mode {mode:04o}), and it holds logins; run "
        f"'chmod 600 {file}'."
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (f'{{"h": "{SECRET}', "not valid JSON; expected for each host one of: BearerToken"),
        ([SECRET], "found no object"),
        ({"h.example:8080": {"BearerToken": SECRET}}, "expected its bare name"),
        ({f"https://u:{SECRET}@h": {"BearerToken": "x"}}, "expected its bare name"),
        ({"h.example": SECRET}, "h.example: not a login"),
        ({"h.example": {"Bearer": SECRET}}, "h.example: not a login"),
        ({"h.example": {"BasicHTTP": {"username": "u", "pass": SECRET}}}, "not a login"),
        ({"h.example": {"BearerToken": ""}}, "not a login"),
    ],
)
def test_logins_that_would_not_be_used_are_told_and_not_repeated(
    tmp_path: Path, content: Any, told: str
) -> None:
    file = logins(tmp_path, content)
    with pytest.raises(StoreError, match=told) as caught:
        load_channels(tmp_path / "channels.toml", file)
    assert SECRET not in str(caught.value)


def test_logins_that_are_named_and_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="the channels' logins cannot be read"):
        load_channels(tmp_path / "channels.toml", tmp_path / "none.json")
