"""A conda channel that the site builds itself, for where no conda channel answers.

`channel` is the way in: it makes sure that the channel holds what a project asks for. `resolution`
says in PyPI's words what that is, `wheel` turns a wheel into a conda package, `cpython` does the
same with a CPython of this machine, and `package` writes the file. Packages are built per Python
version and without timestamps, so the same wheel always gives the same package.
"""

from kernels.site_channel.channel import NAME, ensure_packages
from kernels.site_channel.resolution import translate

__all__ = ["NAME", "ensure_packages", "translate"]
