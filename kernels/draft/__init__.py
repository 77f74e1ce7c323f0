"""A project that does not exist yet: made from a template and a person's wishes, then written.

`template` reads the data under `templates/<like>/`, `plan` decides what the files will say (pure),
`trial` solves it, and `writing` puts them under `projects/` in one step, or not at all.
"""

from kernels.draft.plan import PIP, Draft, Wishes, plan_draft
from kernels.draft.template import TEMPLATES, Template, load_template
from kernels.draft.trial import try_draft
from kernels.draft.writing import make_project, refuse_taken

__all__ = [
    "PIP",
    "TEMPLATES",
    "Draft",
    "Template",
    "Wishes",
    "load_template",
    "make_project",
    "plan_draft",
    "refuse_taken",
    "try_draft",
]
