"""A store as a workspace sees it, made by hand."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def kernel_json() -> Callable[..., str]:
    """Return the text of a kernel.json that starts this Python."""

    def text(display_name: str, *, version: int = 2, pinned: bool = False, **more: Any) -> str:
        return json.dumps(
            {
                "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
                "display_name": display_name,
                "language": "python",
                "metadata": {"perijove": {"version": version, "pinned": pinned}},
                **more,
            }
        )

    return text


@pytest.fixture(scope="session")
def publish(kernel_json: Callable[..., str]) -> Callable[..., Path]:
    """Publish a kernel into a store as the builder does: kernel.json comes last, by a rename."""

    def publish_into(store: Path, name: str, display_name: str = "", **more: Any) -> Path:
        client, project, *version = name.split(".")
        folder = store / client / project / "kernels" / name
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / ".kernel.json"
        pinned = {"version": int(version[0][1:]), "pinned": True} if version else {}
        draft.write_text(kernel_json(display_name or name, **{**pinned, **more}))
        return draft.rename(folder / "kernel.json")

    return publish_into
