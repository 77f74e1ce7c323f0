"""What embedded mode can fail with: one base class, so that the command line catches one thing.

Every message is one sentence that says what happened, where, and what to do about it.
"""


class EmbeddedError(Exception):
    """Embedded mode cannot go on; the message says why and what to do."""


class ToolError(EmbeddedError):
    """A program this machine lacks could not be provided."""


class CertificateError(EmbeddedError):
    """A certificate or its key cannot be used."""


class NginxSettingsError(EmbeddedError):
    """The nginx configuration cannot be rendered from these settings."""
