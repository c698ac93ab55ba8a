"""Every error that Synapse Stream raises.

    SynapseStreamError
    ├── ConfigError     (also ValueError)       a setting, URL or namespace is wrong
    ├── DecodeError     (also ValueError)       stored bytes are not what a producer wrote
    ├── LogUnavailable  (also ConnectionError)  the server did not take or answer a command
    └── RunEnded        (also RuntimeError)     a report after `end_log`

Wrong arguments of report calls are plain TypeError and ValueError, as from Python's own functions.
"""

from __future__ import annotations


class SynapseStreamError(Exception):
    """Base of every error of this package."""


class ConfigError(SynapseStreamError, ValueError):
    """A setting is wrong; the message names it, its value and what is allowed."""


class DecodeError(SynapseStreamError, ValueError):
    """Stored bytes are not a batch or event that a producer wrote."""


class LogUnavailable(SynapseStreamError, ConnectionError):
    """The server could not be reached, or refused the command; trying again later may help.

    Attributes:
        reason: what is wrong, the same whichever command it came to light with.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason} ({detail})" if detail else reason)
        self.reason = reason


class RunEnded(SynapseStreamError, RuntimeError):
    """The run has ended, so nothing more can be reported to it."""
