"""The `docker` engine: workspaces as containers, each in a network of its own.

It only translates the plan (`spawner/container.py` says into what) and carries it out.
DockerSpawner gives the client and the way a container is found again; what it would take from users
or from a container that was there before is not used: a workspace is always made from its plan.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any, ClassVar, cast

from docker.errors import APIError, DockerException, NotFound
from dockerspawner import DockerSpawner
from jupyterhub.spawner import SpawnException
from requests.exceptions import ConnectionError  # noqa: A004 - docker-py does not hide it
from tornado.httpclient import AsyncHTTPClient, HTTPClientError

from spawner.container import GPUS_LABEL, HUB_URL, PORT, Volumes, plan_container, plan_gpus
from spawner.docker_network import WorkspaceNetwork
from spawner.names import PROJECT_LABEL, object_name, volume_name, workspace_name
from spawner.plan import Workspace
from spawner.planned import PlannedSpawner, prepare_home
from spawner.settings import DockerSettings

_PROBE_SECONDS = 0.02
_LOOK_EVERY = 25  # probes: whether the container still runs
_LOG_LINES = 400
_LOOKS, _LOOK_AGAIN_SECONDS = 60, 0.5
_NO_ENGINE = 502  # what the socket proxy says when it does not find the engine
_KILLED = 137  # by SIGKILL; that memory ran out once alone does not mean that it ended by that


class DockerEngine(PlannedSpawner, DockerSpawner):
    """Starts a workspace as a container in a network of its own."""

    # Sixteen calls to the engine at once: DockerSpawner's own single thread lets everyone wait.
    _threads: ClassVar[ThreadPoolExecutor] = ThreadPoolExecutor(16, "docker")
    # Why workspaces ended by themselves. The hub makes a new spawner when one has ended.
    _last_words: ClassVar[dict[str, str]] = {}
    # Choosing GPUs that nobody has yet, and taking them, is one step.
    _choosing: ClassVar[asyncio.Lock] = asyncio.Lock()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.remove = True
        self.image = self._site.image
        self.pull_policy = "never"
        self.port = PORT
        self.hub_connect_url = HUB_URL
        self.object_name = object_name(
            self._site.project, workspace_name(self.user.name, self.name)
        )
        self._network = WorkspaceNetwork(self.object_name, self._site, self.docker)
        self._news: list[dict[str, Any]] = []

    def load_state(self, state: dict[str, Any]) -> None:
        """Takes up a workspace that an earlier hub started, under the name it has here."""
        super().load_state(state | {"object_name": self.object_name})

    @property
    def last_words(self) -> str:
        """Why the workspace ended by itself, for the page that offers to start it again."""
        return self._last_words.get(self.object_name, "")

    @property
    def executor(self) -> ThreadPoolExecutor:
        """The threads that talk to the engine."""
        return self._threads

    async def docker(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Calls a method of Docker's API in a thread of its own.

        A look at something is tried again for a while if the engine is out of reach: when it or the
        socket proxy restarts. The hub would take a look that failed for a workspace that has ended.
        """
        for _ in range(_LOOKS):
            try:
                return await super().docker(method, *arguments, **options)
            except (ConnectionError, DockerException) as error:  # the latter: no client either
                gone = not isinstance(error, APIError) or error.status_code == _NO_ENGINE
                if not (gone and method.startswith("inspect_")):
                    raise
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        return await super().docker(method, *arguments, **options)

    @property
    def _site(self) -> DockerSettings:
        return cast("DockerSettings", self.settings.docker)

    # Start.

    async def start(self) -> tuple[str, int]:
        """Starts the workspace and returns where it listens, once it answers there."""
        workspace: Workspace = self.workspace
        self._last_words.pop(self.object_name, None)
        self._news.clear()
        self._tell(10, "Looking for what an earlier start left behind.")
        prepare_home(workspace)
        (workspace.mounts[0].source / workspace.examples.name).mkdir(exist_ok=True)
        await asyncio.gather(self._check_image(), self._clear_away())
        try:
            self._tell(30, "Building the walls: a network for this workspace alone.")
            await self._network.create()
            self._tell(50, "Starting the container.")
            await _both(self._network.join_peers(), self._create_and_start(workspace))
            self._held = workspace.grants
            self._tell(70, "Starting the notebook server in it.")
            address = await self._wait_until_answering(workspace)
        except BaseException:
            await self._clear_away()
            raise
        self._tell(95, "The notebook server answers.")
        return address, self.port

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """What is being done, for the page on which somebody waits."""
        told = 0
        while True:
            while told < len(self._news):
                yield self._news[told]
                told += 1
            await asyncio.sleep(0.1)

    async def _check_image(self) -> None:
        image = self._site.image
        try:
            self._image_command = (await self.docker("inspect_image", image))["Config"]["Cmd"]
        except NotFound:
            raise SpawnException(
                f"This machine has no image {image} for workspaces. An admin can build it with "
                "`docker compose build workspace`; then start again.",
                reason="image",
            ) from None

    async def _create_and_start(self, workspace: Workspace) -> None:
        async with self._choosing if workspace.limits.gpus else nullcontext():
            gpus = await self._choose_gpus(workspace.limits.gpus)
            body = plan_container(
                workspace,
                site=self._site,
                volumes=Volumes(
                    store=(volume_name(self._site.project, "store"), self.settings.store.root),
                    homes=(volume_name(self._site.project, "homes"), self.settings.homes),
                ),
                environment=self.get_env(),
                command=[*self._image_command, *self.get_args()],
                gpus=gpus,
            )
            made = await self.docker("create_container_from_config", body, self.object_name)
        self.object_id = made["Id"]
        await self.docker("start", self.object_id)

    async def _choose_gpus(self, count: int) -> tuple[str, ...]:
        if not count:
            return ()
        there = await self.docker("containers", all=True, filters={"label": self._label})
        taken = [
            gpu for container in there for gpu in container["Labels"].get(GPUS_LABEL, "").split(",")
        ]
        gpus = plan_gpus(count, self._site.gpus, taken)
        if gpus is None:
            raise SpawnException(
                f"Your projects need {count} GPU{'s' * (count > 1)}, and of the "
                f"{len(self._site.gpus)} here not so many are free. Try again later, or ask an "
                "admin.",
                reason="gpus",
            )
        return gpus

    async def _wait_until_answering(self, workspace: Workspace) -> str:
        """Asks often, so that nobody waits for a server that is up; the hub would ask ever less."""
        client = AsyncHTTPClient()
        address = await self._address()
        url = f"http://{address}:{self.port}{self.server.base_url}api"
        for turn in range(int(self.start_timeout / _PROBE_SECONDS)):
            try:
                await client.fetch(url, request_timeout=5, connect_timeout=1)
            except HTTPClientError as error:
                if error.code < 500:  # noqa: PLR2004 - it answers, and asks who is there
                    return address
            except OSError:
                pass
            else:
                return address
            if turn % _LOOK_EVERY == 0 and await self._is_over(await self.get_object()):
                raise SpawnException(
                    f"The workspace of {workspace.user} ended while it started: {self.last_words}",
                    reason="ended",
                )
            await asyncio.sleep(_PROBE_SECONDS)
        raise SpawnException(
            f"The notebook server did not answer in {self.start_timeout} seconds.", reason="silent"
        )

    async def _address(self) -> str:
        container = await self.docker("inspect_container", self.object_name)
        address: str = container["NetworkSettings"]["Networks"][self.object_name]["IPAddress"]
        return address

    # Look and stop.

    async def poll(self) -> str | int | None:
        """None while the workspace runs as it should, else how it ended.

        A workspace whose user has lost an entitlement that it still shows is stopped here, and hub,
        proxy and egress that were replaced are joined to its network again.
        """
        container = await self.get_object()
        if await self._is_over(container):
            await self._clear_away()
            return self.last_words or 0
        await self._network.join_peers()
        return 0 if await self.stop_if_not_entitled() else None

    async def stop(self, now: bool = False) -> None:
        """Ends the workspace: kernels are shut down first, unless it has to be `now`."""
        try:
            if now:
                await self.docker("kill", self.object_name)
            else:
                await self.docker("stop", self.object_name, timeout=int(self.stop_seconds))
        except NotFound:
            pass
        except APIError as error:
            if error.status_code != 409:  # noqa: PLR2004 - it does not run any more
                raise
        await self._clear_away()

    async def _is_over(self, container: dict[str, Any] | None) -> bool:
        """Whether the workspace has ended; if so, what it said last is kept."""
        if container is None:
            return True
        state = container["State"]
        if state["Running"]:
            return False
        said = await self._keep_log()
        if state["OOMKilled"] and state["ExitCode"] == _KILLED:
            memory = container["HostConfig"]["Memory"] / 1024**3
            words = (
                f"It ran out of memory: all of it together may take {memory:.3g} GiB. "
                "Work on less data at once, or ask an admin for a higher limit."
            )
        else:
            words = f"It ended with status {state['ExitCode']}: {said}"
        self._last_words[self.object_name] = words
        self.log.warning("The workspace of %s has ended. %s", self._log_name, words)
        return True

    async def _keep_log(self) -> str:
        """Writes down what the container said, and returns its last lines."""
        output: bytes = await self.docker("logs", self.object_name, tail=_LOG_LINES)
        text = output.decode(errors="replace")
        self.settings.logs.mkdir(parents=True, exist_ok=True)
        (self.settings.logs / f"{self.object_name}.log").write_text(text)
        lines = [line.strip() for line in text.strip().splitlines()[-3:]]
        return " / ".join(lines) or "it said nothing"

    async def _clear_away(self) -> None:
        """Removes the container and the network, if they are there."""
        try:
            await self.docker("remove_container", self.object_name, v=True, force=True)
        except NotFound:
            pass
        except APIError as error:
            if error.status_code != 409:  # noqa: PLR2004 - it is being removed already
                raise
        self.object_id = ""
        await self._network.remove()

    @property
    def _label(self) -> str:
        return f"{PROJECT_LABEL}={self._site.project}"

    def _tell(self, progress: int, message: str) -> None:
        self._news.append({"progress": progress, "message": message})


async def _both(*work: Awaitable[None]) -> None:
    """Does it side by side to the end, then raises the first error: nothing is left half-way."""
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
