"""conda's words for a package that is wanted and for a channel, as py-rattler reads them."""

import rattler
from rattler.exceptions import InvalidChannelError, InvalidMatchSpecError, InvalidVersionError


def parse_spec(text: str) -> rattler.MatchSpec:
    """A specification as people write it. Raises InvalidMatchSpecError if it is none."""
    return rattler.MatchSpec(text, strict=False)


def is_match_spec(text: str) -> bool:
    """Whether conda would accept `text` as a package specification."""
    try:
        return bool(parse_spec(text).name)
    except InvalidMatchSpecError:
        return False


def spec_name(text: str) -> str:
    """The package name of a specification that `is_match_spec`."""
    return str(parse_spec(text)).split("::")[-1].split()[0].split("[")[0]


def spec_version(text: str) -> str | None:
    """The version part of a specification, in conda's normal form (`1.26.*`, `>=2,<3`)."""
    version = parse_spec(text).version
    return None if version is None else str(version)


def version_key(text: str) -> rattler.Version | None:
    """What orders versions as conda does; None if `text` is no version to conda."""
    try:
        return rattler.Version(text)
    except InvalidVersionError:
        return None


def is_channel(text: str) -> bool:
    """Whether conda would accept `text` as a channel."""
    try:
        return bool(text.strip()) and bool(rattler.Channel(text).base_url)
    except InvalidChannelError:
        return False


def channel_url(channel: str) -> str:
    """The address of a channel given by name (`conda-forge`) or by address, ending in `/`."""
    return str(rattler.Channel(channel).base_url).rstrip("/") + "/"
