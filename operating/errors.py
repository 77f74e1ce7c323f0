"""The errors of `operating`, each one sentence: what happened, where, and what to do.

OperatingError
  BackupError       a backup file is not whole, not one of ours, or not to be trusted
"""


class OperatingError(Exception):
    """Something an operator asked for cannot be done; the text is for people."""


class BackupError(OperatingError):
    """A backup file cannot be used."""
