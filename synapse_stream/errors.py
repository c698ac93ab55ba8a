"""Every error that Synapse Stream raises.

    SynapseStreamError
    ├── ConfigError     (also ValueError)       a setting, URL or namespace is wrong
    ├── DecodeError     (also ValueError)       stored bytes are not what a producer wrote
    ├── JobExists       (also FileExistsError)  a job to be added is there already
    ├── LogUnavailable  (also ConnectionError)  the server did not take or answer a command
    ├── RunEnded        (also RuntimeError)     a report after `end_log`
    └── Trimmed         (also LookupError)      it is no longer in the stream, nor in an archive

Wrong arguments of report calls are plain TypeError and ValueError, as from Python's own functions.
"""

from __future__ import annotations


class SynapseStreamError(Exception):
    """Base of every error of this package."""


class ConfigError(SynapseStreamError, ValueError):
    """A setting is wrong; the message names it, its value and what is allowed."""


class DecodeError(SynapseStreamError, ValueError):
    """Stored bytes are not a batch or event that a producer wrote."""


class JobExists(SynapseStreamError, FileExistsError):
    """There is such a job already, so none of that name can be added."""


class LogUnavailable(SynapseStreamError, ConnectionError):
    """The server could not be reached, or refused the command; trying again later may help.

    Attributes:
        reason: what is wrong, the same whichever command it came to light with.
        is_refusal: the server answered, and refused this command; others it may take.
        retry_after: seconds that it asks to wait, as it takes too much already; 0 when it does not.
    """

    def __init__(
        self, reason: str, detail: str = "", *, is_refusal: bool = False, retry_after: float = 0.0
    ) -> None:
        super().__init__(f"{reason} ({detail})" if detail else reason)
        self.reason = reason
        self.is_refusal = is_refusal
        self.retry_after = retry_after


class RunEnded(SynapseStreamError, RuntimeError):
    """The run has ended, so nothing more can be reported to it."""


class Trimmed(SynapseStreamError, LookupError):
    """What was to be read is no longer in the job's stream, and not to be had from an archive."""
