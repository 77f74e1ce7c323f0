"""A fresh installation is what it should be before anybody uses it."""

import stat

import pytest
import requests

from tests.containers.stack import Stack

pytestmark = pytest.mark.containers


def test_make_secrets_writes_them_once_for_their_owner_alone(stack: Stack) -> None:
    files = [stack.directory / ".env", stack.directory / "certificates/key.pem"]
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600, 0o600]
    before = [file.read_bytes() for file in files]
    again = stack.run("make", "secrets", "HOST=other.example")
    assert "stays as it is" in again.stdout
    assert [file.read_bytes() for file in files] == before


@pytest.mark.parametrize(
    "name", ["POSTGRES_PASSWORD", "CONFIGPROXY_AUTH_TOKEN", "PERIJOVE_SERVICE_TOKEN"]
)
def test_without_a_secret_nothing_starts_and_it_is_named(stack: Stack, name: str) -> None:
    settings = stack.settings
    lines = [f"{key}={value}" for key, value in settings.items() if key != name]
    file = stack.directory / "without.env"
    file.write_text("\n".join(lines))
    refused = stack.compose("--env-file", str(file), "config", "-q", check=False)
    assert refused.returncode
    assert name in refused.stderr
    assert "make secrets" in refused.stderr


def test_nothing_but_nginx_is_published(stack: Stack) -> None:
    published = {
        container.name: sorted(container.attrs["HostConfig"]["PortBindings"] or {})
        for container in stack.engine.docker.containers.list(
            filters={"label": f"com.docker.compose.project={stack.project}"}
        )
    }
    assert {name for name, ports in published.items() if ports} == {f"{stack.project}-nginx-1"}


def test_services_have_no_more_capabilities_than_they_need(stack: Stack) -> None:
    needed = {
        "nginx": {"CHOWN", "DAC_OVERRIDE", "SETGID", "SETUID"},
        "database": {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"},
    }
    for service in ("nginx", "proxy", "hub", "socket-proxy", "database", "egress", "builder"):
        configured = stack.container(service).attrs["HostConfig"]
        added = {name.removeprefix("CAP_") for name in configured["CapAdd"] or ()}
        assert configured["CapDrop"] == ["ALL"], service
        assert added == needed.get(service, set()), service
        assert "no-new-privileges:true" in configured["SecurityOpt"], service
        assert not configured["Privileged"], service


def test_only_the_socket_proxy_has_dockers_socket_and_only_the_builder_writes_the_store(
    stack: Stack,
) -> None:
    writers, holders = set(), set()
    for service in ("nginx", "proxy", "hub", "socket-proxy", "database", "egress", "builder"):
        for mount in stack.container(service).attrs["Mounts"]:
            if mount.get("Name") == f"{stack.project}_store" and mount["RW"]:
                writers.add(service)
            if mount.get("Source") == str(stack.engine.socket):
                holders.add(service)
    assert writers == {"builder"}
    assert holders == {"socket-proxy"}
    assert stack.container("socket-proxy").attrs["HostConfig"]["NetworkMode"] == "none"


def test_pages_carry_the_headers_that_keep_them_out_of_others_frames(stack: Stack) -> None:
    with requests.Session() as session:
        session.trust_env, session.verify = False, str(stack.certificate)
        headers = session.get(f"{stack.url}/hub/login").headers
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
