"""The installation as its operator's verbs see it: doctor, backup and restore."""

import os

from operating.site import Site, load_site
from perijove.context import Installation


def find_site(installation: Installation) -> Site:
    """Where everything of it stands, and whether a hub of it is to be expected."""
    running = installation.running()
    addresses = (running[0], running[1].api_url.removesuffix("api/")) if running else None
    return load_site(os.environ, installation.home, installation.mount(), addresses)
