"""Which exact packages satisfy what is asked for, on a declared platform."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import rattler
from rattler.exceptions import GatewayError, SolverError

from kernels.channels import PLAIN, Channels
from kernels.conda.network import canonical, explain_failure, find_source, make_gateway
from kernels.conda.records import CondaPackage, from_record
from kernels.conda.specs import parse_spec
from kernels.errors import LockError, SolveError
from kernels.platform import Platform


class Solver:
    """Solves for one list of channels and one platform; what was read is kept for the next time.

    Made for one question in several forms. Where the channels may change in between, make another.
    """

    def __init__(
        self, channels: Sequence[str], platform: Platform, settings: Channels = PLAIN
    ) -> None:
        self._settings = settings
        self._platform = platform
        self._names = ", ".join(channels)
        self._canonical = {
            find_source(channel, settings) or own: own
            for channel in channels
            for own in (canonical(channel, settings),)
        }
        self._gateway = make_gateway(settings)

    def solve(self, specs: Sequence[str]) -> list[CondaPackage]:
        """The exact packages that satisfy `specs`, sorted by name.

        Raises:
            SolveError: nothing satisfies them; the text is the solver's own reason.
            LockError: a channel broke off while it was read.
        """
        try:
            records = asyncio.run(
                rattler.solve(
                    [rattler.Channel(address) for address in self._canonical],
                    [parse_spec(self._as_asked(spec)) for spec in specs],
                    gateway=self._gateway,
                    platforms=[self._platform.subdir, "noarch"],  # type: ignore[list-item]
                    virtual_packages=_virtual_packages(self._platform),
                )
            )
        except SolverError as error:
            raise SolveError(str(error)) from None
        except GatewayError as error:
            raise LockError(
                f"A channel of {self._names} could not be read: "
                f"{explain_failure(error, self._settings)}"
            ) from None
        packages = (from_record(record) for record in records)
        return sorted(
            (
                replace(package, channel=self._canonical.get(package.channel, package.channel))
                for package in packages
            ),
            key=lambda package: package.name,
        )

    def _as_asked(self, spec: str) -> str:
        """A spec that names its channel, with the address that this channel is read from."""
        channel, colons, rest = spec.rpartition("::")
        if not colons:
            return spec
        own = canonical(channel, self._settings)
        source = next((key for key, value in self._canonical.items() if value == own), own)
        return f"{source.rstrip('/')}::{rest}"


def solve(
    specs: Sequence[str],
    channels: Sequence[str],
    platform: Platform,
    settings: Channels = PLAIN,
) -> list[CondaPackage]:
    """The exact packages that satisfy `specs` on the declared `platform`, sorted by name.

    Raises:
        SolveError: nothing satisfies them; the text is the solver's own reason.
        LockError: a channel refuses us, or broke off while it was read.
    """
    return Solver(channels, platform, settings).solve(specs)


def _virtual_packages(platform: Platform) -> list[rattler.GenericVirtualPackage]:
    declared = [
        ("__unix", "0", "0"),
        ("__linux", "5.10", "0"),
        ("__glibc", platform.glibc, "0"),
        ("__archspec", "1", platform.archspec),
        *([("__cuda", platform.cuda, "0")] if platform.cuda else []),
    ]
    return [
        rattler.GenericVirtualPackage(
            rattler.PackageName(name), rattler.Version(version), rattler.BuildString(build)
        )
        for name, version, build in declared
    ]
