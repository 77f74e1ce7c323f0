"""`python -m spawner.socket_proxy`: listens until it is told to end, and logs what it refuses.

It needs no privilege but to write to the engine's socket. With all capabilities dropped it cannot
give its own socket to the hub's user: so the socket is open to all, and who may connect is decided
by who has its directory mounted.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from spawner.settings import SettingsError
from spawner.socket_proxy.policy import Policy, load_policy
from spawner.socket_proxy.relay import listening

log = logging.getLogger("spawner.socket_proxy")


async def serve(policy: Policy, engine: Path, listen: Path) -> None:
    """Relay between the sockets until SIGTERM or SIGINT."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with listening(policy, engine, listen):
        log.info("the socket proxy of %s listens at %s", policy.project, listen)
        await ended.wait()


def main(environ: Mapping[str, str]) -> int:
    """Run; the result is the exit status."""
    logging.basicConfig(
        stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        policy = load_policy(environ)
    except SettingsError as error:
        log.error("%s", error)  # noqa: TRY400 - a sentence for people
        return 1
    engine = Path(environ.get("PERIJOVE_ENGINE_SOCKET") or "/var/run/docker.sock")
    listen = Path(environ.get("PERIJOVE_PROXY_SOCKET") or "/run/perijove/docker.sock")
    try:
        asyncio.run(serve(policy, engine, listen))
        listen.unlink(missing_ok=True)
    except OSError as error:
        log.error("cannot listen at %s: %s", listen, error)  # noqa: TRY400 - a sentence for people
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
