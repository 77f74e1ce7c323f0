"""A machine that cannot wall off workspaces: it says so, and serves one person only."""

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import ShareCaches
from tests.e2e.platform import Platform, new_platform

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not shutil.which("bwrap"), reason="needs bubblewrap: scripts/test-tools"),
]

# A real machine without user namespaces: the kernel refuses them below --disable-userns.
_WITHOUT_NAMESPACES = (
    *("bwrap", "--unshare-user", "--disable-userns", "--dev-bind", "/", "/"),
    *("--uid", "1000", "--gid", "1000"),
)


def test_without_walls_there_is_one_account_and_it_works(
    tmp_path: Path, share_caches: ShareCaches
) -> None:
    platform = new_platform(tmp_path)
    share_caches(platform.home / "store")
    platform.wrapper = _WITHOUT_NAMESPACES
    for path in platform.projects.iterdir():
        if path.name != "norrland-works":
            shutil.rmtree(path)
    try:
        platform.start()
        assert "Workspaces cannot be walled off" in platform.said
        (account,) = platform.accounts
        client = platform.client(account)
        client.start()
        assert "norrland-works.machine-health" in client.kernels()
        kernel = client.start_kernel("norrland-works.machine-health")
        prefix = kernel.run("import sys; print(sys.prefix)").text.strip()
        assert prefix.startswith(f"{platform.home}/store/norrland-works/machine-health/envs/v1-")
        listed = client.server("GET", "api/contents/examples/norrland-works/machine-health").json()
        assert [entry["name"] for entry in listed["content"]] == [
            "crack-growth-remaining-life.ipynb"
        ]
        client.close()
        assert platform.stop() == []
        _refuses_a_second_account(platform)
    finally:
        if platform.process is not None:
            platform.stop()


def _refuses_a_second_account(platform: Platform) -> None:
    file = platform.home / "accounts.json"
    entries = json.loads(file.read_text())["accounts"]
    entries.append({"user": "bruno", "password": "x", "groups": [], "admin": False})
    file.write_text(json.dumps({"accounts": entries}))
    with pytest.raises(AssertionError, match="cannot wall off workspaces from each other"):
        platform.start()
    platform.process = None
