"""The errors of `kernels`, each one sentence: what happened, where, and what to do.

KernelsError
  ProjectError      something under projects/ is not as it must be: file, key, found, expected
  LockError         no lock can be made
    SolveError      no set of packages satisfies what was asked for
    MissingPython   the site channel needs a CPython this machine does not have
  BuildError        an environment could not be built
    CheckError      it was built, but its kernel does not start
  StoreError        the store cannot be used as asked
"""


class KernelsError(Exception):
    """Base of all errors that `kernels` raises on purpose; its text is for people."""


class ProjectError(KernelsError):
    """Something under `projects/` is not as it must be."""


class LockError(KernelsError):
    """No lock can be made for a project."""


class SolveError(LockError):
    """No set of packages satisfies what was asked for; the text holds the solver's reason.

    `changes` holds what to ask for in place of which requirement, so that it solves; or nothing.
    """

    def __init__(self, text: str, changes: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(text)
        self.changes = changes


class MissingPython(LockError):  # noqa: N818 - reads as the sentence it is
    """The site channel needs a CPython of a version that this machine does not have."""


class BuildError(KernelsError):
    """An environment could not be built."""


class CheckError(BuildError):
    """An environment was built, but its kernel does not start or run a cell."""


class StoreError(KernelsError):
    """The store cannot be used as asked."""
