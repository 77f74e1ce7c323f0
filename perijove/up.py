"""`perijove up`: the whole platform on this machine, in the foreground, without Docker or root."""

import asyncio
import fcntl
import os
import secrets
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import click

from embedded.accounts import Account, describe_access, ensure_accounts
from embedded.certificates import Certificate, ensure_certificate, load_certificate
from embedded.errors import EmbeddedError
from embedded.hub import Hub, is_login_answering, wait_for
from embedded.nginx import NginxSettings
from embedded.platform import plan_processes, prepare_nginx, running_file, write_running
from embedded.ports import check_port, free_port
from embedded.supervisor import Supervisor
from embedded.tools import Tools, ensure_tools
from embedded.wall import find_wall_obstacle
from kernels.building.build import build_environment
from kernels.locking.lock import ensure_lock
from kernels.projects import Project
from kernels.publishing.publish import publish, published_version
from operating.rebuild import rebuild_restored
from perijove.console import Report, complain, out, print_table, say, warn
from perijove.context import Installation, for_each
from spawner.settings import Settings


@click.command(help="Start the whole platform here, without Docker; Ctrl-C ends it.")
@click.option("--port", type=int, envvar="PORT", default=8443, help="[env: PORT; default: 8443]")
@click.option(
    "--host",
    envvar="PERIJOVE_HOST",
    default="localhost",
    help="The name people use in their browser.  [env: PERIJOVE_HOST; default: localhost]",
)
@click.option(
    "--listen",
    envvar="PERIJOVE_LISTEN",
    default="127.0.0.1",
    help="The address to listen on.  [env: PERIJOVE_LISTEN; default: this machine only]",
)
@click.option(
    "--certificate",
    type=click.Path(path_type=Path),
    envvar="PERIJOVE_CERTIFICATE",
    help="Your own certificate chain, PEM.  [env: PERIJOVE_CERTIFICATE; default: self-signed]",
)
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    envvar="PERIJOVE_KEY",
    help="Its key, PEM.  [env: PERIJOVE_KEY]",
)
@click.pass_obj
def command(  # noqa: PLR0917 - click passes them by name
    installation: Installation,
    port: int,
    host: str,
    listen: str,
    certificate: Path | None,
    key: Path | None,
) -> None:
    """Prepares what is missing, starts everything, says so, and waits."""
    if (certificate is None) != (key is None):
        raise click.UsageError("--certificate and --key belong together: give both.")
    with _only_one(installation.home):
        check_port(listen, port, "PORT=")
        check_port(listen, port + 1, "PORT=")
        if os.geteuid() == 0:
            warn("You are root; an ordinary account is enough, and walls are thicker without root.")
        tools = _prepare_tools(installation.home)
        walled = _prepare_walls(installation, tools)
        served = _prepare_certificate(installation.home, host, certificate, key)
        projects = _prepare_projects(installation)
        accounts = ensure_accounts(installation.home / "accounts.json", projects, walled=walled)
        settings = _settings(installation, f"https://{host}:{port}/", tools)
        nginx = NginxSettings(
            certificate=served.cert,
            key=served.key,
            upstream=urlsplit(settings.proxy_url).netloc,
            https_port=port,
            http_port=port + 1,
            address=listen,
            access_log=str(settings.logs / "access.log"),
        )
        prepare_nginx(settings, nginx)
        supervisor = Supervisor(plan_processes(settings, tools), settings.logs, say)
        asyncio.run(_serve(supervisor, settings, accounts, projects, served, nginx))


async def _serve(  # noqa: PLR0917 - one caller, just above
    supervisor: Supervisor,
    settings: Settings,
    accounts: list[Account],
    projects: list[Project],
    served: Certificate,
    nginx: NginxSettings,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        say("Starting proxy, hub and nginx.")
        supervisor.start()
        watching = asyncio.create_task(supervisor.watch())
        ready = asyncio.create_task(
            asyncio.to_thread(_wait_until_ready, supervisor, settings, accounts, served, nginx)
        )
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({watching, ready, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            ready.result()
            write_running(settings)
            _announce(settings, accounts, projects, served)
            await asyncio.wait({watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            watching.result()  # a process dies again and again: say so and end
    finally:
        say("Stopping: workspaces first, then the rest.")
        supervisor.stop()
        running_file(settings.home).unlink(missing_ok=True)
        say("Stopped. Homes and accounts are kept in " + str(settings.home) + ".")


def _wait_until_ready(
    supervisor: Supervisor,
    settings: Settings,
    accounts: list[Account],
    served: Certificate,
    nginx: NginxSettings,
) -> None:
    wait_for(
        "The hub",
        lambda: is_login_answering(nginx.address, nginx.https_port, served.cert),
        seconds=120,
        log=supervisor.log_file("hub"),
    )
    made = _accounts_made(settings.home)
    if not made.exists():
        hub = Hub(f"{settings.hub_url}api/", settings.service_token)
        hub.add_accounts(accounts)
        made.touch()


def _accounts_made(home: Path) -> Path:
    """There once the accounts are in the hub's database, which rules from then on."""
    return home / "state" / "accounts-made"


def _announce(
    settings: Settings, accounts: list[Account], projects: list[Project], served: Certificate
) -> None:
    out.print(f"\nReady: {settings.public_url.rstrip('/')}\n", markup=False)
    print_table(
        ("USER", "PASSWORD", "MAY SEE"),
        [
            (account.user, account.password, describe_access(account, projects))
            for account in accounts
        ],
    )
    if served.self_signed:
        say("\nThe certificate is self-signed: the browser asks once; or give your own.")
    say(
        f"These are first passwords and groups, kept in {settings.accounts}; what is changed "
        "on the hub's pages counts from then on. Ctrl-C stops everything."
    )


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """One platform per home."""
    try:
        (home / "state").mkdir(parents=True, exist_ok=True)
        with (home / "state" / "up.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise EmbeddedError(
                    f"The platform of {home} runs already; end it there (Ctrl-C), or choose "
                    "another PERIJOVE_HOME and PORT."
                ) from None
            yield
    except PermissionError as error:
        raise EmbeddedError(
            f"{home}: cannot be written ({error.strerror}); choose another PERIJOVE_HOME."
        ) from None


def _prepare_tools(home: Path) -> Tools:
    return ensure_tools(home, say)


def _prepare_walls(installation: Installation, tools: Tools) -> bool:
    """Whether workspaces can be walled off; a store remembers which way it was made."""
    obstacle = find_wall_obstacle(tools.bwrap.path)
    marker = installation.home / "state" / "unwalled"
    if obstacle is None:
        with suppress(FileNotFoundError):
            marker.unlink()
        return True
    marker.touch()
    warn(f"{obstacle} Until then there is one account only, without walls.")
    return False


def _prepare_certificate(
    home: Path, host: str, certificate: Path | None, key: Path | None
) -> Certificate:
    if certificate and key:
        return load_certificate(certificate, key)
    return ensure_certificate(home / "state" / "tls", [host])


def _prepare_projects(installation: Installation) -> list[Project]:
    """Builds and publishes what is not yet; what fails is left out, the others go on."""
    found = installation.projects()
    store = installation.store()

    def work(project: Project, report: Report) -> None:
        if rebuild_restored(project, store, report):
            return
        lock = ensure_lock(project, store, report)
        environment = build_environment(project, lock, store, report)
        if published_version(project, store) is None:  # else what people see is theirs to change
            publish(project, environment, store)

    done, failures = for_each(found.projects, work)
    for problem in (*found.problems, *failures):
        complain(str(problem))
    if failures or found.problems:
        warn(f"{len(failures) + len(found.problems)} of the projects are left out; see above.")
    return [project for project in found.projects if project.slug in done]


def _settings(installation: Installation, public_url: str, tools: Tools) -> Settings:
    hub = f"http://127.0.0.1:{free_port()}/hub/"
    return Settings(
        home=installation.home,
        projects=installation.projects_dir,
        store_mount=installation.mount(),
        public_url=public_url,
        hub_url=hub,
        hub_connect_url=hub,
        proxy_url=f"http://127.0.0.1:{free_port()}/",
        proxy_api_url=f"http://127.0.0.1:{free_port()}",
        proxy_token=secrets.token_hex(32),
        service_token=secrets.token_hex(32),
        bwrap=str(tools.bwrap.path),
    )
