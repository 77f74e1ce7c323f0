"""The embedded platform's processes: which, in which order, with which settings."""

import json
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from embedded.hub import Hub
from embedded.nginx import NginxSettings, plan_nginx_command, render_nginx
from embedded.supervisor import Process
from embedded.tools import Tools
from kernels.store import write_text
from spawner.settings import CHECKOUT, Settings


def plan_processes(settings: Settings, tools: Tools) -> list[Process]:
    """The platform's processes, in the order of starting: proxy, hub, nginx."""
    environment = _base_environment() | settings.to_environment()
    token = {"CONFIGPROXY_AUTH_TOKEN": settings.proxy_token}
    return [
        Process(
            "proxy",
            _proxy_command(settings, tools),
            _base_environment() | token,
            settings.state,
            "Pages do not load until it runs again; notebooks and kernels keep running.",
        ),
        Process(
            "hub",
            [
                *(sys.executable, "-m", "jupyterhub", "--config"),
                str(CHECKOUT / "jupyterhub_config.py"),
            ],
            environment,
            settings.state,
            "Notebooks keep running; logging in and starting a workspace wait until it runs again.",
            stop_seconds=30,  # it ends all workspaces on its way
        ),
        Process(
            "nginx",
            plan_nginx_command(tools.nginx.path, nginx_directory(settings), _nginx_file(settings)),
            _base_environment(),
            settings.state,
            "Nothing can be reached until it runs again; notebooks and kernels keep running.",
        ),
    ]


def prepare_nginx(settings: Settings, nginx: NginxSettings) -> None:
    """Writes nginx's configuration."""
    nginx_directory(settings).mkdir(parents=True, exist_ok=True)
    write_text(_nginx_file(settings), render_nginx(nginx))


def nginx_directory(settings: Settings) -> Path:
    """Where nginx keeps its own files."""
    return settings.state / "nginx"


def running_file(settings_home: Path) -> Path:
    """Tells `perijove status` how to reach a running platform; there while it runs."""
    return settings_home / "state" / "running.json"


def write_running(settings: Settings) -> None:
    """Writes `running_file`, for its owner's eyes."""
    file = running_file(settings.home)
    file.unlink(missing_ok=True)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump(
            {
                "process": os.getpid(),
                "url": settings.public_url,
                "hub": f"{settings.hub_url}api/",
                "token": settings.service_token,
            },
            stream,
        )


def find_running(settings_home: Path) -> tuple[str, Hub] | None:
    """The address of the platform that runs in this home and its hub, or None."""
    try:
        told = json.loads(running_file(settings_home).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return told["url"], Hub(told["hub"], told["token"])


def _nginx_file(settings: Settings) -> Path:
    return nginx_directory(settings) / "nginx.conf"


def _proxy_command(settings: Settings, tools: Tools) -> list[str]:
    proxy, api = urlsplit(settings.proxy_url), urlsplit(settings.proxy_api_url)
    return [
        *tools.proxy_command,
        *("--ip", str(proxy.hostname), "--port", str(proxy.port)),
        *("--api-ip", str(api.hostname), "--api-port", str(api.port)),
        "--no-x-forward",  # nginx has said where a request comes from, once
        # Until the hub says otherwise everything goes to it, so nobody sees a bare 404.
        *(
            "--default-target",
            settings.hub_url.removesuffix("hub/"),
            "--error-target",
            f"{settings.hub_url}error",
        ),
    ]


def _base_environment() -> dict[str, str]:
    """What every process needs of ours: no secrets of the person who typed `make up`."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ}
