"""What every test may use."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

SHARED = (".packages", ".unpacked", ".bytecode", ".wheels", ".site-channel")
CHANNEL_LOCK = ".locks/site-channel.lock"
"""Who adds to the site channel is alone, whatever store it is."""

ShareCaches = Callable[[Path], None]


@pytest.fixture(scope="session")
def share_caches(tmp_path_factory: pytest.TempPathFactory) -> ShareCaches:
    """Gives a store, before it is used, caches that all runs on this machine share.

    What is built for real is fetched, packaged and compiled once, whatever run or worker needs it:
    builders are made to share these at the same time. They lie beside pytest's own directories.
    """
    base = tmp_path_factory.getbasetemp()
    run = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    caches = run.parent / "perijove-caches"

    def share(root: Path) -> None:
        for place in (caches, root):
            (place / CHANNEL_LOCK).parent.mkdir(parents=True, exist_ok=True)
        for name in SHARED:
            (caches / name).mkdir(exist_ok=True)
            (root / name).symlink_to(caches / name)
        (root / CHANNEL_LOCK).symlink_to(caches / CHANNEL_LOCK)

    return share
