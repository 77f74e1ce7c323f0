"""A person's client of the running platform: logs in through nginx and uses the documented APIs."""

import copy
import json
import re
import ssl
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import requests
import websocket

_SPAWN_SECONDS = 60


@dataclass
class Output:
    """What one cell said."""

    text: str = ""
    error: str = ""
    data: list[dict[str, Any]] = field(default_factory=list)


class Client:
    """One logged-in user."""

    opened: ClassVar[list["Client"]] = []

    def __init__(self, url: str, certificate: Path, user: str, password: str) -> None:
        self.url, self.user, self.certificate = url.rstrip("/"), user, str(certificate)
        self.http = requests.Session()
        self._connections: list[websocket.WebSocket] = []
        self.opened.append(self)
        self.http.verify = self.certificate
        self.http.trust_env = False  # the machine's own CA bundle would win over ours
        page = self.http.get(f"{self.url}/hub/login")
        form = {"username": user, "password": password, "_xsrf": self.http.cookies["_xsrf"]}
        answer = self.http.post(f"{self.url}/hub/login", data=form, allow_redirects=False)
        assert page.status_code == 200
        self.logged_in = answer.status_code == 302
        self.token = self._new_token() if self.logged_in else ""

    def hub(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        """A request to the hub's REST API."""
        return requests.request(
            method,
            f"{self.url}/hub/api/{path}",
            headers={"Authorization": f"token {self.token}"},
            verify=self.certificate,
            timeout=60,
            **kwargs,
        )

    def server(
        self, method: str, path: str, *, of: str | None = None, **kwargs: Any
    ) -> requests.Response:
        """A request to a user's Jupyter server (one's own by default)."""
        return requests.request(
            method,
            f"{self.url}/user/{quote(of or self.user)}/{path}",
            headers={"Authorization": f"token {self.token}"},
            verify=self.certificate,
            timeout=60,
            **kwargs,
        )

    def start(self) -> None:
        """Starts the workspace and waits until it is there."""
        answer = self.hub("POST", f"users/{self.user}/server")
        assert answer.status_code in (201, 202, 400), answer.text
        ends = time.monotonic() + _SPAWN_SECONDS
        while not self.is_running():
            assert time.monotonic() < ends, f"the workspace of {self.user} is not there"
            time.sleep(0.2)

    def stop(self) -> None:
        """Stops the workspace and waits until it is gone."""
        answer = self.hub("DELETE", f"users/{self.user}/server")
        assert answer.status_code in (202, 204), answer.text
        ends = time.monotonic() + _SPAWN_SECONDS
        while self.servers():
            assert time.monotonic() < ends, f"the workspace of {self.user} does not end"
            time.sleep(0.2)

    def servers(self) -> dict[str, Any]:
        """The user's servers as the hub tells them."""
        servers: dict[str, Any] = self.hub("GET", f"users/{self.user}").json()["servers"]
        return servers

    def is_running(self) -> bool:
        """Whether the workspace is ready."""
        return bool(self.servers().get("", {}).get("ready"))

    def kernels(self) -> dict[str, Any]:
        """The kernels that can be chosen."""
        specs: dict[str, Any] = self.server("GET", "api/kernelspecs").json()["kernelspecs"]
        return specs

    def start_kernel(self, name: str) -> "Kernel":
        """A running kernel of that name."""
        answer = self.server("POST", "api/kernels", json={"name": name})
        assert answer.status_code == 201, f"{name}: {answer.status_code} {answer.text}"
        return Kernel(self, answer.json()["id"])

    def reconnect(self, kernel: "Kernel") -> "Kernel":
        """The same kernel over a new websocket, as a page does after a break."""
        return Kernel(self, kernel.id)

    def notebook(self, path: str) -> dict[str, Any]:
        """A notebook's content."""
        answer = self.server("GET", f"api/contents/{quote(path)}")
        assert answer.status_code == 200, answer.text
        content: dict[str, Any] = answer.json()["content"]
        return content

    def terminal(self, command: str) -> str:
        """What a shell command prints in a terminal of the workspace."""
        name = self.server("POST", "api/terminals").json()["name"]
        connection = self.websocket(f"terminals/websocket/{name}")
        mark = uuid.uuid4().hex
        # The line itself is shown once or twice before it runs: the marks are not in it as such.
        begin, end = (f"echo {word}-{mark[:16]}''{mark[16:]}" for word in ("begin", "end"))
        line = f"stty -echo; {begin}; {command}; echo; {end}\r"
        connection.send(json.dumps(["stdin", line]))
        text = ""
        while f"end-{mark}" not in text:
            kind, *rest = json.loads(connection.recv())
            if kind == "stdout":
                text += rest[0]
        connection.close()
        self.server("DELETE", f"api/terminals/{name}")
        shown = text.split(f"end-{mark}")[0].split(f"begin-{mark}\r\n")[1]
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).replace("\r\n", "\n")

    def websocket(self, path: str) -> websocket.WebSocket:
        """A websocket of the user's Jupyter server."""
        connection = websocket.create_connection(
            f"{self.url.replace('https', 'wss')}/user/{quote(self.user)}/{path}",
            header=[f"Authorization: token {self.token}"],
            sslopt={"ca_certs": self.certificate, "cert_reqs": ssl.CERT_REQUIRED},
            timeout=120,
        )
        self._connections.append(connection)
        return connection

    def again(self) -> "Client":
        """The same login in another window: signing in is limited to some times a minute."""
        window = copy.copy(self)
        window.http = requests.Session()
        window.http.verify, window.http.trust_env = self.http.verify, False
        window.http.cookies.update(self.http.cookies)
        window._connections = []
        self.opened.append(window)
        return window

    def close(self) -> None:
        """Hangs up."""
        for connection in self._connections:
            connection.shutdown()
        self.http.close()

    def _new_token(self) -> str:
        answer = self.http.post(
            f"{self.url}/hub/api/users/{self.user}/tokens",
            json={"note": "test", "expires_in": 7200},
            headers={"X-XSRFToken": self._hub_xsrf()},
        )
        assert answer.status_code == 201, answer.text
        token: str = answer.json()["token"]
        return token

    def _hub_xsrf(self) -> str:
        self.http.get(f"{self.url}/hub/home")
        cookies = [cookie for cookie in self.http.cookies if cookie.name == "_xsrf"]
        return next(str(cookie.value) for cookie in cookies if cookie.path == "/hub/")


class Kernel:
    """A running kernel, spoken to over its websocket through nginx."""

    def __init__(self, client: Client, kernel_id: str) -> None:
        self.client, self.id = client, kernel_id
        self._connection = client.websocket(f"api/kernels/{kernel_id}/channels")

    def run(self, code: str) -> Output:
        """Runs a cell to its end."""
        return self.finish(self.begin(code))

    def begin(self, code: str) -> str:
        """Sends a cell; `finish` waits for it."""
        message_id = uuid.uuid4().hex
        message = {
            "header": {
                "msg_id": message_id,
                "msg_type": "execute_request",
                "username": "",
                "session": "test",
                "version": "5.3",
                "date": "",
            },
            "parent_header": {},
            "metadata": {},
            "channel": "shell",
            "buffers": [],
            "content": {"code": code, "silent": False, "store_history": True},
        }
        self._connection.send(json.dumps(message))
        return message_id

    def finish(self, message_id: str) -> Output:
        """Collects what a cell says until it has ended."""
        output, replied, idle = Output(), False, False
        while not (replied and idle):
            message = json.loads(self._connection.recv())
            if message["parent_header"].get("msg_id") != message_id:
                continue
            kind, content = message["header"]["msg_type"], message["content"]
            if kind == "stream":
                output.text += content["text"]
            elif kind in ("execute_result", "display_data"):
                output.data.append(content["data"])
                output.text += content["data"].get("text/plain", "")
            elif kind == "error":
                output.error = f"{content['ename']}: {content['evalue']}"
            elif kind == "execute_reply":
                replied = True
            elif kind == "status":
                idle = idle or content["execution_state"] == "idle"
        return output

    def close(self) -> None:
        """Ends the kernel."""
        self._connection.close()
        self.client.server("DELETE", f"api/kernels/{self.id}")
