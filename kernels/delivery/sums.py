"""The names and checksums in a bundle: what may be in it, and the list `sha256sum -c` reads. Pure.

README.txt bundle.json SHA256SUMS
channels/<channel>/<subdir>/...           packages with their index: a conda channel
wheels/<sha256>/<file>.whl
projects/<client>/client.toml, projects/<client>/<project>/...
locks/<client>/<project>/v<N>.json
sbom/<client>/<project>/v<N>.cdx.json
images/<file>
"""

import re
from collections.abc import Mapping

from kernels import names

SUMS = "SHA256SUMS"
MANIFEST = "bundle.json"
README = "README.txt"
_FILE = r"[A-Za-z0-9_.+!~=-]+"
_FORMS = {
    "channels": rf"{_FILE}/(noarch|linux-64|linux-aarch64)/{_FILE}",
    "wheels": rf"[0-9a-f]{{64}}/{_FILE}\.whl",
    "locks": rf"{_FILE}/{_FILE}/v[1-9][0-9]*\.json",
    "sbom": rf"{_FILE}/{_FILE}/v[1-9][0-9]*\.cdx\.json",
    "images": _FILE,
}
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def is_member(name: str) -> bool:
    """Whether a bundle may hold a file of this name: nothing that leads anywhere else."""
    if name in {SUMS, MANIFEST, README}:
        return True
    parts = name.split("/")
    if any(part in {"", ".", ".."} or not part.isprintable() or "\\" in part for part in parts):
        return False
    top, rest = parts[0], name[len(parts[0]) + 1 :]
    if top == "projects":
        return _is_definition(parts[1:])
    return top in _FORMS and re.fullmatch(_FORMS[top], rest) is not None


def write_sums(sums: Mapping[str, str]) -> str:
    """The list, from name to sha256."""
    return "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(sums.items()))


def parse_sums(text: str) -> dict[str, str]:
    """Name to sha256. Raises ValueError if it is no such list, or names a file twice."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        parsed = _LINE.fullmatch(line)
        if parsed is None or parsed[2] in found:
            raise ValueError(line)
        found[parsed[2]] = parsed[1]
    return found


def _is_definition(parts: list[str]) -> bool:
    if len(parts) < 2 or not names.is_name(parts[0]):  # noqa: PLR2004 - a client and what is in it
        return False
    if parts[1:] == ["client.toml"]:
        return True
    return len(parts) > 2 and names.is_name(parts[1]) and not parts[2].startswith(".")  # noqa: PLR2004
