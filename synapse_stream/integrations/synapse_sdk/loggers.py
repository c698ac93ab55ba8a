"""Loggers of the SDK that report to a job's stream beside what they do there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_sdk.loggers import ConsoleLogger, JobLogger, NoOpLogger

from synapse_stream.integrations.synapse_sdk.passing import Passing
from synapse_stream.integrations.synapse_sdk.reporter import Reporter
from synapse_stream.integrations.synapse_sdk.reports import Reports

if TYPE_CHECKING:
    from synapse_stream.reporting.context import RuntimeContext
    from synapse_stream.settings import Settings


class _InPlace(Reports):
    """Stands in the place of a class of the SDK: what is of that one is of this one, too."""

    replaced: type[Any]

    @classmethod
    def __subclasshook__(cls, other: type[Any]) -> Any:
        return cls.replaced in other.__mro__ if "replaced" in vars(cls) else NotImplemented


class StreamJobLogger(_InPlace, JobLogger):
    """A `JobLogger`, made as one, that reports to the stream as well."""

    replaced = JobLogger

    # These log an event there, which is reported.
    log_metric = JobLogger.log_metric
    log_visualization = JobLogger.log_visualization
    log_trials = JobLogger.log_trials

    def __init__(self, client: Any, job_id: str, *args: Any, **kwargs: Any) -> None:
        self._report_to(Reporter(backend_id=str(job_id)))
        super().__init__(client, job_id, *args, **kwargs)


class StreamConsoleLogger(_InPlace, ConsoleLogger):
    """A `ConsoleLogger` that reports to the stream as well.

    The job is that of the environment or of the context that takes the logger, else a new one.
    """

    replaced = ConsoleLogger

    def __init__(self) -> None:
        self._report_to(Reporter())
        super().__init__()


class StreamLogger(Reports, Passing):
    """Reports to a job's stream, and hands each call to another logger of the SDK.

    It is opened at once, and ends when the driver finishes it, or as its process does.

    Args:
        job_id: the job; None: `SYNAPSE_STREAM_JOB_ID`, `SYNAPSE_JOB_ID`, `RAY_JOB_ID` or a new one.
        also: what gets each call as well, such as a `JobLogger`; None: nothing.
        run: a run that is open and that somebody else ends, in place of a job.
        settings: None: from the environment variables `SYNAPSE_STREAM_*`.

    Raises:
        ValueError: the job's id cannot be one.
        ConfigError: a setting is wrong.
    """

    def __init__(
        self,
        job_id: str | None = None,
        also: Any = None,
        *,
        run: RuntimeContext | None = None,
        settings: Settings | None = None,
    ) -> None:
        reporter = Reporter(job_id, run=run)
        self._report_to(reporter)
        super().__init__(NoOpLogger() if also is None else also)
        reporter.open(settings)

    def __reduce__(self) -> tuple[Any, ...]:
        return object.__new__, (StreamLogger,), vars(self)
