"""The run that a bridge reports to, without a word in the plugin, and without trouble for it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from synapse_stream.errors import RunEnded
from synapse_stream.integrations.values import split
from synapse_stream.loggers.foreign import adapt
from synapse_stream.loggers.null import NullLogger
from synapse_stream.reporting.context import RuntimeContext
from synapse_stream.reporting.opened import newest_run
from synapse_stream.reporting.run import open_run
from synapse_stream.saying import voice
from synapse_stream.system.signals import is_plugins_own

if TYPE_CHECKING:
    from synapse_stream.loggers.base import BaseLogger

_opening = threading.RLock()


class Current:
    """Reports to the run of this process, and never raises.

    That is the run it is given; else, from the first report on, the one that was opened last; else
    one that it opens, which ends as the process does. When that has ended, a run that is open by
    then takes its place.

    Args:
        run: the run; None: as it says above.
        opening: what `open_run` is called with if there is none.
    """

    def __init__(self, run: RuntimeContext | None = None, **opening: Any) -> None:
        self.opened: RuntimeContext | None = None
        """The run, if it was opened here."""
        self._opening = opening
        self._is_given = run is not None
        self._run = run
        self._logger = None if run is None else adapt(run.logger)
        self._has_said_late = False

    @property
    def run(self) -> RuntimeContext:
        """The run; found or opened by the first who asks."""
        return self._run or self._find()

    @property
    def logger(self) -> BaseLogger:
        """What reports to it."""
        logger = self._logger
        if logger is None:
            logger = self._logger = adapt(self.run.logger)
        return logger

    def tell(self, report: str, *given: Any, **named: Any) -> None:
        """Call a report method of the run's logger."""
        try:
            getattr(self._logger or self.logger, report)(*given, **named)
        except RunEnded:
            self._tell_the_next(report, *given, **named)
        except BaseException as failure:
            if is_plugins_own(failure):
                raise
            self.logger.complain(failure)

    def begin(self, action: str, params: Any) -> None:
        """Say what begins: of a run that is opened for it, else by an event `config`."""
        is_first = self._run is None
        self._opening = {"action": action, "params": params, **self._opening}
        self.run  # noqa: B018 - opens it
        if params and not (is_first and self.opened is not None):
            self.tell(
                "log", "config", params if isinstance(params, Mapping) else {"config": params}
            )

    def values(
        self,
        values: Any,
        x: Any = None,
        step: str | None = None,
        *,
        separator: str = "/",
        rest: str = "values",
    ) -> None:
        """Report what a library measured: numbers as metrics, by the names that it shows.

        What is no number goes into a `log` event that is called `rest`.
        """
        try:
            numbers, others = split(values, separator)
        except Exception as failure:  # noqa: BLE001 - no mapping, or foreign code
            self.logger.complain(failure)
            return
        if numbers:
            self.tell("set_metrics", numbers, step, x=x)
        if others:
            self.tell("log", rest, others if x is None else {"x": x, **others}, step=step)

    def end(self, *how: Any) -> None:
        """End the run if it was opened here: as `end_log` does."""
        if self.opened is not None:
            self.opened.end_log(*how)

    def _tell_the_next(self, report: str, *given: Any, **named: Any) -> None:
        run = None if self._is_given else newest_run()
        if run is not None and run is not self._run:
            self._run, self._logger = run, adapt(run.logger)
            self.tell(report, *given, **named)
        elif not self._has_said_late:
            self._has_said_late = True
            voice.warn(
                "job %s: %s and what follows it is not in the stream: it came behind the end of "
                "the run",
                *(self.run.job_id, report),
            )

    def _find(self) -> RuntimeContext:
        with _opening:  # two threads that report first open one run
            if self._run is None:
                self._run = newest_run() or self._open()
            return self._run

    def _open(self) -> RuntimeContext:
        try:
            self.opened = open_run(**{"strict": False, **self._opening})
        except BaseException as failure:
            if is_plugins_own(failure):
                raise
            voice.error(
                "no run can be opened, so nothing is in the stream; the program goes on: %s: %s",
                *(type(failure).__name__, failure),
            )
            return RuntimeContext(NullLogger(), {})
        return self.opened
