"""The stream's side of a logger of the SDK: a run that is opened when it is needed, and ended."""

from __future__ import annotations

import sys
import threading
from functools import wraps
from typing import TYPE_CHECKING, Any

# What a run needs is imported here and now, and not by the plugin's first report.
import synapse_stream.log.event_log
import synapse_stream.loggers.stream  # noqa: F401
from synapse_stream.errors import RunEnded
from synapse_stream.events.joblog import event_of
from synapse_stream.integrations.synapse_sdk.place import action_name, this_place
from synapse_stream.loggers.endings import ending
from synapse_stream.loggers.foreign import adapt
from synapse_stream.loggers.null import NullLogger
from synapse_stream.reporting.context import RuntimeContext
from synapse_stream.reporting.run import make_job_id, open_run
from synapse_stream.saying import voice
from synapse_stream.system.signals import is_plugins_own

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from synapse_stream.events.joblog import Source
    from synapse_stream.integrations.synapse_sdk.place import Place
    from synapse_stream.loggers.base import BaseLogger
    from synapse_stream.settings import Settings

_opening = threading.RLock()
_open_runs: dict[Place, RuntimeContext] = {}


class Reporter:
    """Reports to one job, and never raises into the plugin.

    Loggers of one process for one job share its run, which ends with the one that opened it: the
    SDK builds further ones beside the driver's, and forgets some.

    Args:
        job_id: the job of the stream; None: as the environment and `backend_id` say.
        backend_id: the job that the SDK's code names, if it does.
        run: a run that is open already and that somebody else ends.
    """

    def __init__(
        self,
        job_id: str | None = None,
        *,
        backend_id: str | None = None,
        run: RuntimeContext | None = None,
    ) -> None:
        self._job_id = job_id
        self._backend_id = backend_id
        self._action: str | None = None
        self._params: Any = None
        self._run = run
        self._logger = None if run is None else adapt(run.logger)
        self._ends_run: Place | None = None
        self._error_before = sys.exc_info()[1]
        self._has_said_late = False

    def name_job(self, job_id: str | None) -> None:
        """Take the job that a context names, unless the logger knows its own."""
        self._backend_id = self._backend_id or job_id

    def begin(self, action: type[Any], params: Any) -> None:
        """Open the run, unless it is open: an action begins."""
        self._action, self._params = action_name(action), params
        self.run  # noqa: B018 - opens it

    def end_with(self, execute: Callable[..., Any]) -> Callable[..., Any]:
        """Return what executes a trial and ends its run: the SDK finishes no logger of a trial."""

        @wraps(execute)
        def execute_and_end(*args: Any, **kwargs: Any) -> Any:
            try:
                return execute(*args, **kwargs)
            finally:
                self.end(sys.exc_info()[1])

        return execute_and_end

    @property
    def is_of_trial(self) -> bool:
        """True when what the run is of is one of Tune's trials."""
        return self._ends_run is not None and self._ends_run.trial is not None

    @property
    def run(self) -> RuntimeContext:
        """The run; opened by the first who asks."""
        return self._run or self._open()

    @property
    def logger(self) -> BaseLogger:
        """What reports to it."""
        if self._logger is None:
            self._logger = adapt(self.run.logger)
        return self._logger

    def entry(
        self,
        event: Any,
        level: Any,
        data: Mapping[str, Any],
        file: Any = None,
        step: Any = None,
        source: Source | None = None,
    ) -> None:
        """Report an entry of the SDK's log; of a message also what it was made of."""
        try:
            kind, at, fields = event_of(event, level, data, file, step, source)
            logger = self._logger or self.logger
            if kind == "metrics":
                logger.set_metrics(step=at, **fields)
            else:
                logger.report(kind, at, fields)
        except BaseException as failure:
            if is_plugins_own(failure):
                raise
            self._say(str(event), failure)

    def tell(self, report: str, *given: Any) -> None:
        """Call a report method of the run's logger."""
        try:
            getattr(self._logger or self.logger, report)(*given)
        except BaseException as failure:
            if is_plugins_own(failure):
                raise
            self._say(report, failure)

    def end(self, error: BaseException | None) -> None:
        """End the run, if it was opened here: as `error` says, if there is one."""
        try:
            run = self.run
            with _opening:
                place, self._ends_run = self._ends_run, None
                if place is not None and _open_runs.get(place) is run:
                    del _open_runs[place]
            if place is not None:
                run.end_log(*ending(None if error is self._error_before else error))
        except BaseException as failure:
            if is_plugins_own(failure):
                raise
            self._say("finish", failure)

    def open(self, settings: Settings | None = None) -> RuntimeContext:
        """Open the run, or share one that this process has open for the same job.

        Raises:
            ValueError: the job's id cannot be one.
            ConfigError: a setting is wrong.
        """
        with _opening:
            if self._run is None:
                place = this_place(self._job_id, self._backend_id)
                self._run = _open_runs.get(place)
                if self._run is None:
                    self._run = open_run(
                        place.job_id or make_job_id(),
                        action=self._action,
                        params=self._params,
                        rank=place.rank,
                        labels={"trial_id": place.trial} if place.trial else None,
                        strict=False,
                        settings=settings,
                    )
                    self._ends_run = place
                    _open_runs[place] = self._run
            return self._run

    def __getstate__(self) -> dict[str, Any]:
        """Keep of a copy for another process that it reports to the same run, as a child of it."""
        return {"run": self.run}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(run=state["run"])  # type: ignore[misc]

    def _open(self) -> RuntimeContext:
        try:
            return self.open()
        except BaseException as failure:
            if is_plugins_own(failure):
                raise
            voice.error(
                "job %s: its run cannot be opened, so nothing of it is in the stream; the plugin "
                "goes on: %s: %s",
                *(self._job_id or self._backend_id, type(failure).__name__, failure),
            )
            self._run = RuntimeContext(NullLogger(), {})
            return self._run

    def _say(self, report: str, failure: BaseException) -> None:
        if not isinstance(failure, RunEnded):
            self.logger.complain(failure)
        elif not self._has_said_late:
            self._has_said_late = True
            voice.warn(
                "job %s: %s and what follows it is not in the stream: it came behind the end of "
                "the run",
                *(self.run.job_id, report),
            )
