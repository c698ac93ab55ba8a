"""Telling of an outage: once when it begins, and once when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_stream.errors import ConfigError, LogUnavailable, SynapseStreamError

if TYPE_CHECKING:
    from logging import Logger

    from synapse_stream.log.event_log import EventLog


class Outage:
    """Whether something is away that is asked again and again. Not thread-safe."""

    def __init__(self, logger: Logger, begins: str, ends: str) -> None:
        """Tell `logger` by these words."""
        self._logger = logger
        self._begins = begins
        self._ends = ends
        self._kinds: set[type[Exception]] = set()

    def tell(self, error: Exception) -> None:
        """Note that it is away; say so if that is new, or something else is away, too."""
        if type(error) not in self._kinds:
            self._kinds.add(type(error))
            unforeseen = None if isinstance(error, SynapseStreamError) else error
            self._logger.warning("%s: %s", self._begins, error, exc_info=unforeseen)

    def end(self) -> None:
        """Note that it is there; say so if it was away."""
        if self._kinds:
            self._kinds.clear()
            self._logger.warning("%s", self._ends)


def agree(log: EventLog) -> None:
    """Compare the deployment with how it was founded.

    Raises:
        LogUnavailable: the server did not answer, or they differ. Somebody may have written to what
            is there, and will mend it: so it is waited for.
    """
    try:
        log.check()
    except ConfigError as error:
        raise LogUnavailable(str(error)) from error
