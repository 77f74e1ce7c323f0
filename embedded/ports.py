"""Ports on this machine: is one free, and which one is."""

import socket

import psutil

from embedded.errors import EmbeddedError


def check_port(address: str, port: int, setting: str) -> None:
    """Raises EmbeddedError, saying who has it, if `port` cannot be listened on.

    Args:
        address: where to listen.
        port: the port.
        setting: how a person chooses another one, for the sentence.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except PermissionError:
            raise EmbeddedError(
                f"Port {port} may be used by root alone; choose one above 1023 with {setting}."
            ) from None
        except OSError as error:
            raise EmbeddedError(
                f"Port {port} on {address} is taken{_holder(port)} ({error.strerror}); end that "
                f"program or choose another port with {setting}."
            ) from None


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.laddr
                and connection.laddr.port == port
            ):
                name = psutil.Process(connection.pid).name() if connection.pid else "a program"
                return f" by {name} (process {connection.pid})"
    except psutil.Error:
        pass
    return ""
