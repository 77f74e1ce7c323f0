"""A network namespace for the browser, in which nothing ever changes.

Chromium lets go of everything it loads when the machine's network interfaces change
(ERR_NETWORK_CHANGED), and on the engine's own host each workspace brings one. People sit at other
machines. So the tests' browser gets a namespace with one interface, and a relay to the platform.
"""

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HOST, _BROWSER = "10.217.0.1", "10.217.0.2"


@contextmanager
def quiet_network(directory: Path, ports: tuple[int, ...]) -> Iterator[Path]:
    """A program that starts Chromium in such a namespace; `localhost` there is the platform.

    Args:
        directory: where the program is written to.
        ports: of the platform on this machine's loopback.
    """
    name, link = f"perijove-{os.getpid()}", f"pj{os.getpid()}"
    listeners: list[socket.socket] = []
    _ip("netns", "add", name)
    try:
        _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("address", "add", f"{_HOST}/30", "dev", link)
        _ip("link", "set", link, "up")
        _ip("-n", name, "address", "add", f"{_BROWSER}/30", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", name, "link", "set", device, "up")
        _ip("-n", name, "route", "add", "default", "via", _HOST)
        for port in ports:
            listeners.append(socket.create_server((_HOST, port)))
            threading.Thread(target=_accept, args=(listeners[-1], port), daemon=True).start()
        program = directory / "chromium-in-a-quiet-network"
        rules = f"MAP localhost {_HOST}, MAP *.localhost {_HOST}"
        program.write_text(
            f"#!/bin/sh\nexec ip netns exec {name} {shutil.which('chromium')} "
            f'--host-resolver-rules="{rules}" "$@"\n'
        )
        program.chmod(0o755)
        yield program
    finally:
        for listener in listeners:
            listener.shutdown(socket.SHUT_RDWR)  # or the thread that waits at it would keep it
            listener.close()
        _ip("netns", "delete", name)  # takes the link with it


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def _accept(listener: socket.socket, port: int) -> None:
    while True:
        try:
            inside, _ = listener.accept()
        except OSError:
            return  # closed: the tests are over
        try:
            outside = socket.create_connection(("127.0.0.1", port))
        except OSError:
            inside.close()
            continue
        for ends in ((inside, outside), (outside, inside)):
            threading.Thread(target=_pump, args=ends, daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    finally:
        for end in (source, target):
            end.close()
