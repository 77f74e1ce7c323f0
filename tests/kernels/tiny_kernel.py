"""The tiny channel's `ipykernel_launcher`: Jupyter's messaging protocol and nothing else.

It stands here as data: it is packaged by the fixtures and runs in the environments they build.
"""

import contextlib
import hashlib
import hmac
import io
import json
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

import zmq

INFO = {
    "status": "ok",
    "protocol_version": "5.3",
    "implementation": "tiny",
    "implementation_version": "1",
    "language_info": {"name": "python", "version": "3", "mimetype": "", "file_extension": ".py"},
    "banner": "",
}


class Kernel:
    def __init__(self, settings: dict[str, object]) -> None:
        self.key = str(settings["key"]).encode()
        context = zmq.Context()
        kinds = {"shell": zmq.ROUTER, "control": zmq.ROUTER, "stdin": zmq.ROUTER}
        self.sockets = {}
        for name, kind in {**kinds, "iopub": zmq.PUB, "hb": zmq.REP}.items():
            self.sockets[name] = context.socket(kind)
            between = "-" if settings["transport"] == "ipc" else ":"
            address = f"{settings['ip']}{between}{settings[name + '_port']}"
            self.sockets[name].bind(f"{settings['transport']}://{address}")

    def run(self) -> None:
        poller = zmq.Poller()
        for name in ("hb", "shell", "control"):
            poller.register(self.sockets[name], zmq.POLLIN)
        while True:
            for socket, _ in poller.poll():
                if socket is self.sockets["hb"]:
                    socket.send(socket.recv())
                else:
                    self.answer(socket)

    def answer(self, socket: zmq.Socket) -> None:
        *route, _, _, header, _, _, content = socket.recv_multipart()
        parent = json.loads(header)
        kind = parent["msg_type"].removesuffix("_request")
        self.say("iopub", [b"status"], "status", parent, {"execution_state": "busy"})
        reply = {"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {}}
        if kind == "kernel_info":
            reply = INFO
        if kind == "execute":
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(json.loads(content)["code"], {})  # noqa: S102 - what a kernel is for
            stream = {"name": "stdout", "text": printed.getvalue()}
            self.say("iopub", [b"stream"], "stream", parent, stream)
        name = "control" if socket is self.sockets["control"] else "shell"
        self.say(name, route, f"{kind}_reply", parent, reply)
        self.say("iopub", [b"status"], "status", parent, {"execution_state": "idle"})
        if kind == "shutdown":
            sys.exit()

    def say(
        self, name: str, route: list[bytes], kind: str, parent: object, content: object
    ) -> None:
        header = {
            "msg_id": uuid.uuid4().hex,
            "msg_type": kind,
            "session": "tiny",
            "username": "",
            "version": "5.3",
            "date": datetime.now(UTC).isoformat(),
        }
        parts = [json.dumps(part).encode() for part in (header, parent, {}, content)]
        signature = hmac.new(self.key, b"".join(parts), hashlib.sha256).hexdigest().encode()
        self.sockets[name].send_multipart([*route, b"<IDS|MSG>", signature, *parts])


if __name__ == "__main__":
    connection = Path(sys.argv[sys.argv.index("-f") + 1])
    Kernel(json.loads(connection.read_text())).run()
