"""A channel of conda-forge's size that is made up: an index, and no package behind it."""

import json
import random
from pathlib import Path

RECORDS = 500_000
_NAMES = 20_000
_VERSIONS = RECORDS // _NAMES
_FAMILY = 60
"""Packages need others of their family alone: ten specs of ten families need some 300 packages."""
SPECS = [f"p{number * _FAMILY} >=1.{number % 5}" for number in range(10)]


def ensure_large_channel(path: Path) -> Path:
    """The channel at `path`, the same on every machine; 200 MB of JSON, made once."""
    index = path / "linux-64/repodata.json"
    if not index.exists():
        (path / "noarch").mkdir(parents=True, exist_ok=True)
        (path / "noarch/repodata.json").write_text(json.dumps(_repodata("noarch", {})))
        index.parent.mkdir(parents=True, exist_ok=True)
        scratch = index.with_suffix(".new")
        scratch.write_text(json.dumps(_repodata("linux-64", _records())))
        scratch.rename(index)
    return path


def _records() -> dict[str, dict[str, object]]:
    choose = random.Random(1)  # noqa: S311 - it must be the same every time
    records = {}
    for number in range(_NAMES):
        # Needs point to higher numbers, so there is no circle; most packages need a few others.
        above = range(number + 1, min(_NAMES, (number // _FAMILY + 1) * _FAMILY))
        needs = choose.sample(above, min(len(above), choose.randrange(2, 6)))
        for minor in range(_VERSIONS):
            version = f"1.{minor}"
            records[f"p{number}-{version}-h0_0.conda"] = {
                "name": f"p{number}",
                "version": version,
                "build": "h0_0",
                "build_number": 0,
                "subdir": "linux-64",
                "depends": ["__glibc >=2.17", *(f"p{need} >=1.{minor // 2},<2" for need in needs)],
                "sha256": f"{number * _VERSIONS + minor:064x}",
                "md5": f"{number * _VERSIONS + minor:032x}",
                "size": 10_000,
                "license": "BSD-3-Clause",
                "timestamp": 1_600_000_000_000 + number,
            }
    return records


def _repodata(subdir: str, records: dict[str, dict[str, object]]) -> dict[str, object]:
    return {
        "info": {"subdir": subdir},
        "packages": {},
        "packages.conda": records,
        "repodata_version": 1,
    }
