"""Several loggers at once."""

from __future__ import annotations

import time
from typing import Any

from synapse_stream.loggers.base import BaseLogger
from synapse_stream.loggers.foreign import adapt
from synapse_stream.system.signals import is_plugins_own


class ManyLogger(BaseLogger):
    """Hands every event to each of its loggers, in order; one that fails hinders no other.

    Arguments are checked once, and the current step is this logger's.
    """

    def __init__(self, *loggers: Any) -> None:
        self._loggers = tuple(adapt(logger) for logger in loggers)
        super().__init__(next((each.job_id for each in self._loggers if each.job_id), None))
        self.strict = any(logger.strict for logger in self._loggers)

    @property
    def parts(self) -> tuple[BaseLogger, ...]:
        """The loggers that get every event."""
        return self._loggers

    def record(self, kind: str, step: str | None, fields: dict[str, Any]) -> None:
        """Hand the event on."""
        for logger in self._loggers:
            try:
                if kind == "end":
                    logger.seal(fields)
                else:
                    logger.record(kind, step, fields)
            except BaseException as failure:  # the next one must still get it
                if is_plugins_own(failure):
                    raise
                logger.complain(failure)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait for all of them, `timeout` seconds in all; True when each has everything."""
        deadline = None if timeout is None else time.monotonic() + timeout
        done = [_flush(logger, deadline) for logger in self._loggers]
        return all(done)

    def close(self) -> None:
        """Close all of them."""
        for logger in self._loggers:
            try:
                logger.close()
            except BaseException as failure:  # the next one must still be closed
                if is_plugins_own(failure):
                    raise
                logger.complain(failure)


def _flush(logger: BaseLogger, deadline: float | None) -> bool:
    try:
        return logger.flush(None if deadline is None else max(0.0, deadline - time.monotonic()))
    except BaseException as failure:  # the next one must still be flushed
        if is_plugins_own(failure):
            raise
        logger.complain(failure)
        return False
