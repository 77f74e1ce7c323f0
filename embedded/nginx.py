"""Renders nginx/perijove.conf.template for embedded mode and says how to start nginx with it.

The template is shared with production, where the official image fills in the same variables.
Rendering is pure: a variable that is missing or unknown, or a value nginx would read as more than
one word, is an error here instead of a surprise there.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from embedded.errors import NginxSettingsError

NGINX_FOLDER = Path(__file__).resolve().parent.parent / "nginx"
TEMPLATE = NGINX_FOLDER / "perijove.conf.template"
PAGES = NGINX_FOLDER / "pages"

_VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
_UNSAFE_IN_QUOTES = re.compile(r"[\"\\$\n\r]")  # would end the quotes, or start a variable
_UNSAFE = re.compile(r"[\s;{}\"'\\$]")  # would end the word, the directive or the block


@dataclass(frozen=True, kw_only=True)
class NginxSettings:
    """What differs between one site's nginx and another's; the template explains each."""

    certificate: Path
    key: Path
    upstream: str
    https_port: int
    http_port: int
    public_port: int | None = None  # None: https_port, as nothing maps ports in between
    address: str = "127.0.0.1"
    address6: str | None = None  # in brackets; None: IPv4 only
    upload_limit: str = "512m"  # what jupyter_server itself takes at most
    hsts: str = ""
    access_log: str = "access.log"
    pages: Path = PAGES

    def variables(self) -> dict[str, str]:
        """Return the template's variables by name."""
        return {
            "NGINX_ADDRESS": self.address,
            "NGINX_ADDRESS6": self.address6 or "[::1]",
            "NGINX_IF_IPV6": "" if self.address6 else "#",
            "NGINX_HTTP_PORT": str(self.http_port),
            "NGINX_HTTPS_PORT": str(self.https_port),
            "NGINX_PUBLIC_PORT": str(self.public_port or self.https_port),
            "NGINX_UPSTREAM": self.upstream,
            "NGINX_CERTIFICATE": str(self.certificate),
            "NGINX_KEY": str(self.key),
            "NGINX_PAGES": str(self.pages),
            "NGINX_UPLOAD_LIMIT": self.upload_limit,
            "NGINX_HSTS": self.hsts,
            "NGINX_ACCESS_LOG": self.access_log,
        }


def render_template(template: str, variables: Mapping[str, str]) -> str:
    """Fill in every ${NAME} of `template`; nginx's own $variables stay as they are.

    Raises:
        NginxSettingsError: a variable is missing, unknown to the template, or holds a value that
            nginx would not read as one word.
    """
    wanted = set(_VARIABLE.findall(template))
    if missing := sorted(wanted - variables.keys()):
        raise NginxSettingsError(
            f"The nginx template needs {', '.join(missing)}; give a value for each."
        )
    if unknown := sorted(variables.keys() - wanted):
        raise NginxSettingsError(
            f"The nginx template does not use {', '.join(unknown)}; remove or correct the name."
        )
    for name, value in variables.items():
        unsafe = _UNSAFE_IN_QUOTES if f'"${{{name}}}' in template else _UNSAFE
        if found := unsafe.search(value):
            raise NginxSettingsError(
                f"{name} is {value!r}, which holds {found.group()!r}; "
                "nginx would read that as a directive of its own, so choose a value without it."
            )
    return _VARIABLE.sub(lambda match: variables[match.group(1)], template)


def render_nginx(settings: NginxSettings) -> str:
    """Return the complete nginx configuration for `settings`."""
    note = f"# Generated from nginx/{TEMPLATE.name}: edit that, not this.\n"
    return note + render_template(TEMPLATE.read_text(), settings.variables())


def plan_nginx_command(nginx: Path, directory: Path, configuration: Path) -> list[str]:
    """Return the command that runs nginx in the foreground with all its files in `directory`."""
    prefix = f"{directory}/"  # nginx joins relative paths to it without a slash of its own
    options = ["-p", prefix, "-e", "stderr", "-c", str(configuration)]
    return [str(nginx), *options, "-g", "daemon off;"]
