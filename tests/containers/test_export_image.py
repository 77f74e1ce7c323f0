"""An exported image runs where it is loaded from its file: no network, and no platform."""

import time
from pathlib import Path

import pytest
import requests

from tests.containers.stack import Stack

pytestmark = pytest.mark.containers

PROJECT, IMAGE = "alder-bank/language-tokens", "alder-bank/language-tokens:v1"
NOTEBOOK = "examples/token-budget.ipynb"


@pytest.fixture(scope="module", name="image")
def _image(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The project's image, exported by the builder from the store's volume, and loaded."""
    folder = tmp_path_factory.mktemp("delivery")
    folder.chmod(0o777)  # the builder is another user
    base = stack.settings.get("PERIJOVE_WORKSPACE_IMAGE", "perijove/workspace:0.2.0")
    stack.run("docker", "save", "--output", str(folder / "base.tar"), base)
    (folder / "base.tar").chmod(0o644)
    where = ("run", "--rm", "-T", "-v", f"{folder}:/delivery", "builder", "export", "image")
    told = stack.compose(*where, PROJECT, "--base", "/delivery/base.tar", "--to", "/delivery")
    file = Path(told.stdout.splitlines()[-1])
    assert file == Path("/delivery/alder-bank-language-tokens-v1-image.tar")
    loaded = stack.run("docker", "load", "--input", str(folder / file.name))
    assert IMAGE in loaded.stdout
    return IMAGE


def run(stack: Stack, image: str, *command: str) -> str:
    return stack.run("docker", "run", "--rm", "--network", "none", image, *command).stdout


def test_python_and_the_kernel_are_the_projects(stack: Stack, image: str) -> None:
    prefix = "/opt/perijove/alder-bank/language-tokens/envs/v1-"
    assert run(stack, image, "python", "-c", "import sys; print(sys.prefix)").startswith(prefix)
    listed = run(stack, image, "jupyter", "kernelspec", "list")
    assert "alder-bank.language-tokens " in listed
    assert "alder-bank.language-tokens.v1 " in listed
    assert run(stack, image, "id", "-u").strip() == "1000"


def test_the_example_notebook_runs_with_no_network(stack: Stack, image: str) -> None:
    command = ("jupyter", "nbconvert", "--to", "notebook", "--execute", "--stdout", NOTEBOOK)
    assert "Conclusion: " in run(stack, image, *command)
    stack.run("docker", "run", "--rm", "--network", "none", image, "jupyter", "execute", NOTEBOOK)


def test_it_opens_a_jupyterlab_that_has_the_kernel_and_asks_for_a_token(
    stack: Stack, image: str
) -> None:
    docker = stack.engine.docker
    container = docker.containers.run(image, detach=True, ports={"8888/tcp": ("127.0.0.1", None)})
    try:
        token = wait_for_token(container)
        container.reload()
        (port,) = container.ports["8888/tcp"]
        url = f"http://127.0.0.1:{port['HostPort']}"
        with requests.Session() as visitor:
            visitor.trust_env = False
            assert visitor.get(f"{url}/api/kernelspecs").status_code == 403
            visitor.headers["Authorization"] = f"token {token}"
            assert visitor.get(f"{url}/lab").status_code == 200
            told = visitor.get(f"{url}/api/kernelspecs").json()
            names = {"alder-bank.language-tokens", "alder-bank.language-tokens.v1"}
            assert names <= told["kernelspecs"].keys()
            assert told["default"] == "alder-bank.language-tokens"
            contents = visitor.get(f"{url}/api/contents/examples").json()["content"]
            assert [entry["name"] for entry in contents] == ["token-budget.ipynb"]
            started = visitor.post(f"{url}/api/kernels", json={})
            assert started.status_code == 201, started.text
    finally:
        container.remove(force=True)


def wait_for_token(container: object) -> str:
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        said = container.logs().decode()  # type: ignore[attr-defined]
        if "token=" in said:
            return str(said.split("token=", 1)[1].split()[0])
        time.sleep(0.3)
    raise AssertionError(said)
