"""The conda world: specs, channels, solving, installing. The only importer of py-rattler.

py-rattler changes its API between minor versions; everything that may break stands here. Records
cross this border as plain `CondaPackage` values. `specs` reads what people write, `network` reaches
channels, `solving` and `installing` use it, `local` works on directories.
"""

from kernels.conda.installing import install
from kernels.conda.local import activation_script, index
from kernels.conda.network import is_answering, is_own
from kernels.conda.records import CondaPackage
from kernels.conda.solving import Solver, solve
from kernels.conda.specs import (
    channel_url,
    is_channel,
    is_match_spec,
    spec_name,
    spec_version,
    version_key,
)

__all__ = [
    "CondaPackage",
    "Solver",
    "activation_script",
    "channel_url",
    "index",
    "install",
    "is_answering",
    "is_channel",
    "is_match_spec",
    "is_own",
    "solve",
    "spec_name",
    "spec_version",
    "version_key",
]
