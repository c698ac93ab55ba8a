"""The connection that all producers of a process share who report to one server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_stream.errors import LogUnavailable
from synapse_stream.system.descriptors import SET_ASIDE

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.producer.shipping.port import Log


class Line:
    """Makes the log when it is needed, and anew after a failure. For one thread at a time."""

    def __init__(self, open_log: Callable[[], Log]) -> None:
        self._open_log = open_log
        self._log: Log | None = None
        self._is_cluster = False
        self.deployment: str | None = None
        """Id of the deployment that answered last."""

    @property
    def is_open(self) -> bool:
        """True when the server answered and nothing was wrong since."""
        return self._log is not None

    def connected(self) -> Log:
        """Return the log, after making sure that the server and the deployment are ours.

        Raises:
            LogUnavailable: it cannot be reached.
            ConfigError: it is not ours to write to.
        """
        return self._connect() if self._log is None else self._log

    def close(self) -> None:
        """Drop the connection; the next use makes a new one."""
        log, self._log = self._log, None
        if log is not None:
            log.close()

    @SET_ASIDE.lent()
    def _connect(self) -> Log:
        log = self._open_log()
        try:
            self.deployment = log.check()
        except BaseException:
            log.close()
            raise
        self._log, self._is_cluster = log, log.is_cluster
        return log

    def is_cut_by(self, error: Exception) -> bool:
        """Tell whether an error is about the whole server and not about one job's keys."""
        if not isinstance(error, LogUnavailable):
            return True
        return not (error.is_refusal or self._is_cluster)
