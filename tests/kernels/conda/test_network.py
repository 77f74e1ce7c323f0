"""Channels over HTTP: logins, mirrors, patience, silence; and no login anywhere it can be read."""

import base64
import hashlib
import json
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from embedded.certificates import ensure_certificate
from kernels import conda
from kernels.building.build import build_environment
from kernels.channels import Channels, load_channels
from kernels.conda import network
from kernels.conda.fetching import fetch_package
from kernels.errors import BuildError, LockError
from kernels.locking.lock import make_lock
from kernels.platform import Platform
from kernels.projects import Project
from kernels.publishing.publish import publish
from kernels.store import Store
from tests.kernels.conda.conftest import Serve

MakeProject = Callable[..., Project]
TOKEN = "tk-5ecret-9a8b"
PASSWORD = "pa55-w0rd"
LOGINS = {
    "bearer": ({"BearerToken": TOKEN}, {"authorization": f"Bearer {TOKEN}"}),
    "conda": ({"CondaToken": TOKEN}, {"token": TOKEN}),
    "basic": (
        {"BasicHTTP": {"username": "anna", "password": PASSWORD}},
        {"authorization": "Basic " + base64.b64encode(f"anna:{PASSWORD}".encode()).decode()},
    ),
}


def quiet(_step: str) -> None:
    pass


def secrets(tmp_path: Path, login: dict[str, Any], host: str = "127.0.0.1") -> Path:
    file = tmp_path / "channel-secrets.json"
    file.write_text(json.dumps({host: login}))
    file.chmod(0o600)
    return file


def settings(tmp_path: Path, login: dict[str, Any] | None = None, **keys: Any) -> Channels:
    file = secrets(tmp_path, login) if login else None
    return Channels(secrets=file, cache=tmp_path / "repodata", **keys)


def solved(channel: str, known: Channels) -> dict[str, str]:
    found = conda.solve(["python=3.12"], [channel], Platform(), known)
    assert {package.channel for package in found} == {network.canonical(channel, known)}
    return {package.name: package.version for package in found}


@pytest.mark.parametrize(
    "form", ["conda", *(pytest.param(form, marks=pytest.mark.slow) for form in ("bearer", "basic"))]
)
def test_a_private_channel_is_locked_and_built_and_its_login_is_nowhere(  # noqa: PLR0917 - fixtures
    form: str,
    make_project: MakeProject,
    cold_store: Store,
    channel: Any,
    serve: Serve,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    login, demanded = LOGINS[form]
    server = serve(channel.path, **demanded)
    known = replace(settings(tmp_path, login), cache=cold_store.root / ".repodata")
    store = replace(cold_store, channels=known)
    project = make_project("a/b", "numpy=1.26", channels=(server.url,))
    lock = make_lock(project, store, quiet)
    publish(project, build_environment(project, lock, store, quiet), store)
    assert {package.channel for package in lock.conda} == {server.url}
    assert len(server.packages_asked) == len(lock.conda)
    files = [path for path in store.root.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(files) > 1000
    for word in (TOKEN, PASSWORD):
        assert not [path for path in files if word.encode() in path.read_bytes()]
        assert word not in "".join(capfd.readouterr())


@pytest.mark.parametrize("form", LOGINS)
@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_login_is_told_without_it(
    form: str, status: int, own_channel: Any, serve: Serve, tmp_path: Path
) -> None:
    login, demanded = LOGINS[form]
    wrong = json.loads(json.dumps(login).replace("5ecret", "wr0ng").replace("pa55", "wr0ng"))
    server = serve(own_channel.path, refuses_with=status, **demanded)
    known = settings(tmp_path, wrong)
    with pytest.raises(LockError) as caught:
        conda.is_answering(server.url, known)
    assert str(caught.value) == (
        f"The channel at {server.url} refuses us ({status}); see what {known.secrets} says for "
        "'127.0.0.1'."
    )


def test_a_missing_login_is_told_with_where_it_belongs(own_channel: Any, serve: Serve) -> None:
    server = serve(own_channel.path, authorization="Bearer x")
    with pytest.raises(LockError, match=r"refuses us \(401\); it wants a login for '127\.0\.0\.1'"):
        conda.is_answering(server.url)


def test_a_login_that_stops_working_midway_is_told_as_one(
    own_channel: Any, serve: Serve, tmp_path: Path
) -> None:
    login, demanded = LOGINS["conda"]
    server = serve(own_channel.path, **demanded)
    known = settings(tmp_path, login)
    assert conda.is_answering(server.url, known)
    server.token = "changed"
    with pytest.raises(LockError) as caught:
        solved(server.url, known)
    assert "refuses us (401)" in str(caught.value)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("form", LOGINS)
def test_the_file_of_a_package_is_brought_with_the_login_and_is_the_locked_one(
    form: str, own_channel: Any, serve: Serve, tmp_path: Path
) -> None:
    login, demanded = LOGINS[form]
    server = serve(own_channel.path, **demanded)
    known = settings(tmp_path, login)
    package = conda.solve(["python=3.12"], [server.url], Platform(), known)[0]
    brought = tmp_path / "brought.conda"
    fetch_package(package, brought, known)
    assert hashlib.sha256(brought.read_bytes()).hexdigest() == package.sha256
    assert [path.rpartition("/")[2] for path in server.packages_asked] == [
        package.file.rpartition("/")[2]
    ]
    with pytest.raises(BuildError, match="is not the package that was locked") as caught:
        fetch_package(replace(package, sha256="0" * 64), brought, known)
    assert TOKEN not in str(caught.value)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("form", LOGINS)
def test_a_package_that_is_not_there_any_more_is_told_without_the_login(
    form: str, own_channel: Any, serve: Serve, tmp_path: Path
) -> None:
    login, demanded = LOGINS[form]
    server = serve(own_channel.path, **demanded)
    known = settings(tmp_path, login)
    package = conda.solve(["python=3.12"], [server.url], Platform(), known)[0]
    (own_channel.path / package.file).unlink()
    with pytest.raises(BuildError, match=f"404.*{package.file}") as caught:
        fetch_package(package, tmp_path / "brought.conda", known)
    assert TOKEN not in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_a_firewall_that_forbids_a_public_channel_is_silence(
    own_channel: Any, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(own_channel.path, authorization="Bearer x", refuses_with=403)
    monkeypatch.setattr(network, "channel_url", lambda _name: server.url)
    assert not conda.is_answering("conda-forge")


def test_a_mirror_is_asked_instead_and_the_lock_keeps_the_channels_own_address(
    own_channel: Any, serve: Serve, tmp_path: Path
) -> None:
    mirror = serve(own_channel.path)
    known = settings(
        tmp_path,
        aliases={"acme": "https://conda.acme.invalid/acme"},
        mirrors={"acme": ("http://127.0.0.1:9/", mirror.url)},
    )
    found = conda.solve(["python=3.12"], ["acme"], Platform(), known)
    assert {package.channel for package in found} == {"https://conda.acme.invalid/acme/"}
    assert mirror.asked
    prefix = tmp_path / "prefix"
    conda.install(
        found,
        prefix,
        target=prefix,
        cache_dir=tmp_path / "packages",
        requested=["python=3.12"],
        channels={},
        settings=known,
    )
    (record,) = (prefix / "conda-meta").glob("python-*.json")
    assert "127.0.0.1" in mirror.url
    assert mirror.packages_asked == ["/linux-64/python-3.12.1-0.conda"]
    assert json.loads(record.read_text())["version"] == "3.12.1"


def test_a_mirror_covers_what_is_below_its_channel(
    own_channel: Any, serve: Serve, tmp_path: Path
) -> None:
    label = tmp_path / "served/label/dev"
    shutil.copytree(own_channel.path, label)
    mirror = serve(tmp_path / "served")
    known = settings(
        tmp_path,
        aliases={"acme": "https://conda.acme.invalid/acme"},
        mirrors={"https://conda.acme.invalid/acme": (mirror.url,)},
    )
    assert solved("acme/label/dev", known) == {"python": "3.12.1"}


def test_a_mirror_gets_its_own_login_and_never_the_mirrored_channels(
    own_channel: Any, serve: Serve, tmp_path: Path
) -> None:
    mirror = serve(own_channel.path)
    file = secrets(tmp_path, {"BearerToken": TOKEN}, host="conda.acme.invalid")
    known = Channels(
        mirrors={"https://conda.acme.invalid/acme": (mirror.url,)},
        secrets=file,
        cache=tmp_path / "repodata",
    )
    assert solved("https://conda.acme.invalid/acme", known) == {"python": "3.12.1"}
    assert {authorization for _, authorization in mirror.asked} == {None}
    mirror.authorization = f"Bearer {TOKEN}"
    network._probe.cache_clear()
    with pytest.raises(LockError, match="refuses us"):
        solved("https://conda.acme.invalid/acme", known)
    file = secrets(tmp_path, {"BearerToken": TOKEN})
    network._probe.cache_clear()
    assert solved("https://conda.acme.invalid/acme", replace(known, secrets=file))


def test_a_directory_may_be_a_mirror(own_channel: Any, tmp_path: Path) -> None:
    known = settings(tmp_path, mirrors={"conda-forge": (own_channel.url,)})
    found = conda.solve(["python=3.12"], ["conda-forge"], Platform(), known)
    assert [package.channel for package in found] == [network.canonical("conda-forge", Channels())]
    conda.install(
        found,
        tmp_path / "prefix",
        target=tmp_path / "prefix",
        cache_dir=tmp_path / "packages",
        requested=[],
        channels={},
        settings=known,
    )
    assert (tmp_path / "prefix/conda-meta/python-3.12.1-0.json").exists()


def test_mirrors_that_are_all_silent_are_not_replaced_by_the_registry(
    make_project: MakeProject, store: Store, tmp_path: Path
) -> None:
    known = settings(tmp_path, mirrors={"conda-forge": ("http://127.0.0.1:9/",)})
    project = make_project("a/b", channels=("conda-forge",))
    with pytest.raises(LockError, match="a/b: the channel conda-forge does not answer"):
        make_lock(project, replace(store, channels=known), quiet)


def test_a_package_may_name_its_channel_by_the_short_name(
    own_channel: Any, serve: Serve, tmp_path: Path
) -> None:
    server = serve(own_channel.path)
    known = settings(tmp_path, aliases={"acme": server.url})
    found = conda.solve(["acme::python=3.11"], ["acme"], Platform(), known)
    assert [(package.version, package.channel) for package in found] == [("3.11.7", server.url)]


def test_a_server_that_fails_now_and_then_is_asked_again(
    own_channel: Any, serve: Serve, tmp_path: Path
) -> None:
    server = serve(own_channel.path, fails=2)
    assert solved(server.url, settings(tmp_path)) == {"python": "3.12.1"}
    assert server.fails == 0


def test_a_server_that_only_fails_is_told(own_channel: Any, serve: Serve, tmp_path: Path) -> None:
    server = serve(own_channel.path, fails=1000)
    with pytest.raises(LockError, match=r"A channel of \S+ could not be read: .*503") as caught:
        solved(server.url, settings(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_redirect_is_followed_and_the_login_stays_behind(
    own_channel: Any, serve: Serve, tmp_path: Path
) -> None:
    login, demanded = LOGINS["bearer"]
    there = serve(own_channel.path)
    elsewhere = there.url.replace("127.0.0.1", "localhost")
    here = serve(own_channel.path, moved_to=elsewhere, **demanded)
    assert solved(here.url, settings(tmp_path, login)) == {"python": "3.12.1"}
    assert {authorization for _, authorization in here.asked} == {f"Bearer {TOKEN}"}
    assert {authorization for _, authorization in there.asked} == {None}


def test_an_index_that_is_cut_off_is_told(own_channel: Any, serve: Serve, tmp_path: Path) -> None:
    for file in own_channel.path.rglob("repodata.json*"):
        if file.suffix != ".json":
            file.unlink()
        else:
            file.write_bytes(file.read_bytes()[:-30])
    server = serve(own_channel.path)
    with pytest.raises(LockError, match=r"A channel of \S+ could not be read: failed to parse"):
        solved(server.url, settings(tmp_path))


def test_a_page_that_is_no_channel_does_not_answer_as_one(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert not conda.is_answering(serve(tmp_path / "empty").url)


def test_a_silent_server_is_given_up_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(network, "_PROBE_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert not conda.is_answering(address, settings(tmp_path))


def test_a_channel_behind_the_sites_own_authority(
    own_channel: Any, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    made = ensure_certificate(tmp_path / "tls", ["127.0.0.1", "localhost"])
    both = tmp_path / "both.pem"
    both.write_bytes(made.key.read_bytes() + made.cert.read_bytes())
    server = serve(own_channel.path, certificate=both)
    assert not conda.is_answering(server.url, settings(tmp_path))
    network._probe.cache_clear()
    monkeypatch.setenv("SSL_CERT_FILE", str(made.cert))
    assert conda.is_answering(server.url, settings(tmp_path))
    assert solved(server.url, settings(tmp_path)) == {"python": "3.12.1"}


def test_offline_solves_from_what_was_read_before_and_asks_nobody(
    own_channel: Any, serve: Serve, tmp_path: Path
) -> None:
    server = serve(own_channel.path)
    known = settings(tmp_path)
    solved(server.url, known)
    server.asked.clear()
    offline = replace(known, offline=True)
    assert conda.is_answering(server.url, offline)
    assert solved(server.url, offline) == {"python": "3.12.1"}
    assert server.asked == []
    never = replace(offline, cache=tmp_path / "other")
    assert not conda.is_answering(server.url, never)
    with pytest.raises(LockError, match=r"was never read here, and channels\.toml says 'offline'"):
        solved(server.url, never)


def test_a_vanished_channel_builds_from_the_cache_and_is_told_without_it(
    make_project: MakeProject, cold_store: Store, channel: Any, serve: Serve, tmp_path: Path
) -> None:
    server = serve(channel.path)
    store = replace(cold_store, channels=settings(tmp_path))
    project = make_project("a/b", "numpy=1.26", channels=(server.url,))
    lock = make_lock(project, store, quiet)
    with pytest.raises(BuildError) as offline:
        build_environment(
            project,
            lock,
            replace(store, channels=replace(store.channels, offline=True)),
            quiet,
        )
    assert str(offline.value).startswith(f"{server.url}: channels.toml says 'offline', and the st")
    first = build_environment(project, lock, store, quiet)
    server.close()
    network._probe.cache_clear()
    other = make_project("a/c", "numpy=1.26", channels=(server.url,))
    second = build_environment(other, lock, store, quiet)
    shared = "lib/python3.11/site-packages/numpy.py"
    assert (first.path / shared).samefile(second.path / shared)
    shutil.rmtree(store.packages)
    third = make_project("a/d", "numpy=1.26", channels=(server.url,))
    with pytest.raises(BuildError) as caught:
        build_environment(third, replace(lock, project="a/d"), store, quiet)
    told = str(caught.value)
    assert told.startswith(f"{server.url}: the channel does not answer, and the store has no copy")
    assert "linux-64/numpy-1.26.4-0.conda" in told
    assert "\n" not in told


def test_a_package_with_another_checksum_is_refused_and_not_kept(
    own_channel: Any, serve: Serve, tmp_path: Path
) -> None:
    served = tmp_path / "served"
    shutil.copytree(own_channel.path, served)
    own_channel.add("python", "3.12.1", {"evil.py": "import evil\n"})
    other = own_channel.path / "linux-64/python-3.12.1-0.conda"
    shutil.copy(other, served / "linux-64" / other.name)
    server = serve(served)
    known = settings(tmp_path)
    found = conda.solve(["python=3.12"], [server.url], Platform(), known)
    with pytest.raises(BuildError, match="is not the package that the channel's index speaks of"):
        conda.install(
            found,
            tmp_path / "prefix",
            target=tmp_path / "prefix",
            cache_dir=tmp_path / "packages",
            requested=[],
            channels={},
            settings=known,
        )
    assert not list((tmp_path / "packages").rglob("evil.py"))


def test_the_settings_file_says_all_of_it(own_channel: Any, serve: Serve, tmp_path: Path) -> None:
    server = serve(own_channel.path, token=TOKEN)
    file = tmp_path / "channels.toml"
    file.write_text(
        f'[aliases]\nacme = "https://conda.acme.invalid/acme"\n[mirrors]\nacme = ["{server.url}"]\n'
    )
    login = secrets(tmp_path, {"CondaToken": TOKEN})
    known = load_channels(file, login, tmp_path / "repodata")
    assert solved("acme", known) == {"python": "3.12.1"}
