"""The dry run of a draft: do its packages fit together? Nothing is written but caches."""

import tempfile
from pathlib import Path

from kernels.draft.plan import PIP, Draft
from kernels.environment_yml import load_requirements
from kernels.errors import ProjectError, SolveError
from kernels.locking import solving
from kernels.locking.solving import Report
from kernels.store import Store


def try_draft(draft: Draft, store: Store, report: Report) -> int:
    """How many packages the project's environment will have.

    Raises:
        ProjectError: a package or channel is not one.
        SolveError: they do not fit together; with the reason and a way out where there is one.
        LockError: a channel or the registry does not answer, or refuses us.
        StoreError: the store cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="perijove-new-") as scratch:
        file = Path(scratch, "environment.yml")
        file.write_text(draft.files["environment.yml"], encoding="utf-8")
        try:
            requirements = load_requirements(file)
        except ProjectError as error:
            told = str(error).replace(str(file), str(draft.project.environment_yml))
            raise ProjectError(told) from None
    try:
        with store.writing(draft.project.slug):
            found = solving.solve(draft.project, requirements, store, report, wanted=draft.wanted)
    except SolveError as error:
        changes = tuple(
            (old, f"{PIP}{new}" if old in requirements.pip else new) for old, new in error.changes
        )
        raise SolveError(str(error), changes) from None
    return len(found.conda) + len(found.pip)
