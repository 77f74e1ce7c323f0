"""PyPI's nginx, far newer than Debian's, understands the same template."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from embedded.tools import ensure_tools


@pytest.mark.slow
def test_pypis_nginx_serves_the_same_site(tmp_path: Path, start_site: Callable[..., Any]) -> None:
    found = ensure_tools(tmp_path, print, search_path="").nginx
    assert found.origin == "PyPI"
    site = start_site(found.path)
    response, body = site.get("/hub/home")
    assert response.status == 200
    assert json.loads(body)["headers"]["X-Forwarded-Proto"] == "https"
    assert site.get_plain(site.https_port, "/", host="localhost").status == 307
    assert site.get("/hub/fail", Accept="text/html")[0].headers["Retry-After"] == "5"
