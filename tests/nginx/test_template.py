"""What the rendered text promises, and what rendering refuses."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from embedded.errors import NginxSettingsError
from embedded.nginx import PAGES, TEMPLATE, NginxSettings, plan_nginx_command, render_nginx
from embedded.nginx import render_template as render

SETTINGS = NginxSettings(
    certificate=Path("/certs/with a space/c.pem"),
    key=Path("/certs/k.pem"),
    upstream="127.0.0.1:8000",
    https_port=8443,
    http_port=8080,
)


def directives(settings: NginxSettings = SETTINGS) -> list[str]:
    lines = (line.split("#")[0] for line in render_nginx(settings).splitlines())
    return [" ".join(line.split()) for line in lines if line.strip()]


def test_listens_on_loopback_only_unless_told_otherwise() -> None:
    listens = [line for line in directives() if line.startswith("listen")]
    assert listens == ["listen 127.0.0.1:8080;", "listen 127.0.0.1:8443 ssl http2;"]


def test_listens_on_ipv6_too_when_given_an_address() -> None:
    listens = [line for line in directives(replace(SETTINGS, address6="[::1]")) if "[::1]" in line]
    assert listens == ["listen [::1]:8080;", "listen [::1]:8443 ssl http2;"]


def test_redirects_to_the_port_browsers_see() -> None:
    redirect = "return 307 https://$host:443$request_uri;"
    assert redirect in directives(replace(SETTINGS, public_port=443))


def test_nginx_names_stay_and_ours_are_all_filled_in() -> None:
    text = render_nginx(SETTINGS)
    assert "$http_host" in text
    assert "${" not in text


def test_the_template_explains_each_of_its_variables() -> None:
    template = TEMPLATE.read_text()
    explained = set(re.findall(r"^#   (NGINX_[A-Z0-9_]+) ", template, re.MULTILINE))
    assert explained == set(SETTINGS.variables())


@pytest.mark.parametrize(
    "promise",
    [
        "server_tokens off;",
        "ssl_protocols TLSv1.2 TLSv1.3;",
        "proxy_buffering off;",
        "proxy_request_buffering off;",
        "proxy_set_header Host $http_host;",
        "proxy_read_timeout 1d;",
        "client_max_body_size 512m;",
        'ssl_certificate "/certs/with a space/c.pem";',
    ],
)
def test_holds(promise: str) -> None:
    assert promise in directives()


def test_sets_no_frame_rules_where_jupyterhub_sets_its_own() -> None:
    text = "\n".join(directives())
    assert "X-Frame-Options" not in text
    policies = [line for line in directives() if "Content-Security-Policy" in line]
    assert policies == ["add_header Content-Security-Policy $page_policy always;"]


def test_only_the_page_that_waits_reloads_itself() -> None:
    reloading = {
        page.name for page in PAGES.glob("*.html") if 'http-equiv="refresh"' in page.read_text()
    }
    assert reloading == {"restarting.html"}


def test_every_page_has_its_json_and_the_other_way_round() -> None:
    assert {page.stem for page in PAGES.glob("*.html")} == {
        page.stem for page in PAGES.glob("*.json")
    }


def test_a_missing_variable_is_an_error() -> None:
    with pytest.raises(NginxSettingsError, match="needs NGINX_B; give a value"):
        render("${NGINX_A} ${NGINX_B}", {"NGINX_A": "1"})


def test_an_unknown_variable_is_an_error() -> None:
    with pytest.raises(NginxSettingsError, match="does not use NGINX_C"):
        render("${NGINX_A}", {"NGINX_A": "1", "NGINX_C": "2"})


@pytest.mark.parametrize("value", ["1m; evil on", "1m }", "$host", "a\nb"])
def test_a_value_cannot_smuggle_in_a_directive(value: str) -> None:
    with pytest.raises(NginxSettingsError, match="NGINX_UPLOAD_LIMIT is"):
        render_nginx(replace(SETTINGS, upload_limit=value))


def test_a_quoted_value_may_hold_spaces_but_no_quote() -> None:
    with pytest.raises(NginxSettingsError, match="NGINX_KEY is"):
        render_nginx(replace(SETTINGS, key=Path('/k"; evil')))


def test_the_command_keeps_nginx_in_the_foreground_and_in_its_directory() -> None:
    command = plan_nginx_command(Path("/usr/sbin/nginx"), Path("/run/p"), Path("/run/p/nginx.conf"))
    assert command == [
        "/usr/sbin/nginx",
        *("-p", "/run/p/"),
        *("-e", "stderr"),
        *("-c", "/run/p/nginx.conf"),
        *("-g", "daemon off;"),
    ]


def test_the_official_images_renderer_gives_the_same_text() -> None:
    envsubst = shutil.which("envsubst")
    if not envsubst:
        pytest.skip("no envsubst on this machine")
    variables = SETTINGS.variables()
    names = " ".join(f"${{{name}}}" for name in variables)  # as its NGINX_ENVSUBST_FILTER does
    done = subprocess.run(
        [envsubst, names],
        env=variables,
        input=TEMPLATE.read_bytes(),
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode() == render(TEMPLATE.read_text(), variables)
