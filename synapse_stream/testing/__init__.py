"""For plugin authors: run a plugin for real, without a server, and ask what it reported.

With pytest the fixture `recorded_run` is there without any import:

    def test_training_reports_its_loss(recorded_run):
        run_action(TrainAction, {"epochs": 2}, recorded_run.ctx)

        assert recorded_run.metrics("loss") == [0.5, 0.25]
        assert recorded_run.progress("training")[-1] == (2, 2, "training")
        assert recorded_run.messages("danger") == []
        assert recorded_run.status == "completed"

A test that fails shows what was reported. Elsewhere `with record_run() as run:` gives the same.
Events take the whole real path, from the context through spool, shipper and append script to the
stream; only the server is a fake one in this process: `pip install 'synapse-stream[testing]'`.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from synapse_stream.models import LogLevel, ProgressData, RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.reporting.context import RuntimeContext
    from synapse_stream.reporting.environment import PluginEnvironment

__all__ = ["RecordedRun", "record_run"]

_FLUSH_SECONDS = 10.0
_NEVER_SECONDS = 86_400.0
_SHOWN_EVENTS = 40
_LEFT_OUT = {"seq", "time", "type", "v"}


class RecordedRun:
    """A run that can be asked; each question first waits until all is in the stream."""

    def __init__(self, ctx: RuntimeContext, open_log: Callable[[], EventLog]) -> None:
        self.ctx = ctx
        self._open_log = open_log

    def events(self, type: str | None = None) -> list[Any]:  # noqa: A002 - the events' own word
        """Return the events in order, all or of one type ("metrics", "message", …).

        They are models of `synapse_stream.events.types`, as Any: each type has fields of its own.

        Raises:
            TimeoutError: events are not in the stream after ten seconds.
        """
        from synapse_stream.reading.stream import JobStream

        if not self.ctx.flush(_FLUSH_SECONDS):
            msg = f"events of {self.ctx!r} were not in the stream after {_FLUSH_SECONDS:g} s"
            raise TimeoutError(msg)
        log = self._open_log()
        try:
            recorded = JobStream(str(self.ctx.job_id), log=log).read()
            return [found.event for found in recorded if type in {None, found.event.type}]
        finally:
            log.close()

    def metrics(self, name: str) -> list[float]:
        """Return every value of one metric, in order."""
        reported = [event.values for event in self.events("metrics")]
        return [values[name] for values in reported if name in values]

    def messages(self, level: LogLevel | str | None = None) -> list[str]:
        """Return the users' messages in order, all or of one level."""
        return [
            event.content
            for event in self.events("message")
            if level is None or event.level == LogLevel(level)
        ]

    def progress(self, step: str | None = None) -> list[ProgressData]:
        """Return the progress reports in order, all or of one step: (current, total, step)."""
        return [
            ProgressData(event.current, event.total, event.step)
            for event in self.events("progress")
            if step in {None, event.step} and not event.failed
        ]

    @property
    def status(self) -> RunStatus:
        """Where the run stands: RUNNING until its end was reported."""
        return next(
            (event.status for event in self.events("end") if event.status), RunStatus.RUNNING
        )

    def __str__(self) -> str:
        """Show what was reported, an event a line."""
        events = self.events()
        shown = [_line(event) for event in events[-_SHOWN_EVENTS:]]
        left_out = len(events) - len(shown)
        head = [f"… {left_out} earlier events"] if left_out else []
        return "\n".join([*head, *shown]) or "nothing was reported"


@contextmanager
def record_run(
    job_id: str = "recorded-run",
    *,
    env: PluginEnvironment | Mapping[str, Any] | None = None,
    client: Any = None,
    agent_client: Any = None,
    checkpoint: dict[str, Any] | None = None,
    strict: bool = True,
) -> Iterator[RecordedRun]:
    """Open a run on a server that is faked in this process; leaving the block closes it.

    The arguments are those of `RuntimeContext`. Wrong values of report calls raise, unless `strict`
    is False: a test shall find them. What was reported can still be asked for behind the
    block. Nothing is read from the environment, so a test never reports to a real server.
    """
    with TemporaryDirectory(prefix="synapse-stream-") as directory:
        from synapse_stream.loggers.stream import StreamLogger
        from synapse_stream.reporting.context import RuntimeContext
        from synapse_stream.settings import Settings

        settings = Settings(
            data_dir=Path(directory),
            spool_memory_bytes=0,
            heartbeat_seconds=_NEVER_SECONDS,
            strict=strict,
        )
        open_log = _fake_server(settings)
        logger = StreamLogger(job_id, settings, open_log=open_log)
        try:
            ctx = RuntimeContext(logger, env or {}, job_id, client, agent_client, checkpoint)
            yield RecordedRun(ctx, open_log)
        finally:
            logger.close()


def _fake_server(settings: Any) -> Callable[[], EventLog]:
    from fakeredis import FakeRedis, FakeServer

    from synapse_stream.entries.keys import Keys
    from synapse_stream.log.event_log import EventLog

    server = FakeServer(server_type="redis", version=(7,))
    keys = Keys(settings.namespace, settings.partitions)
    return lambda: EventLog(FakeRedis(server=server), keys, "faked in this process")


def _line(event: Any) -> str:
    fields = {name: value for name, value in event if name not in _LEFT_OUT and value is not None}
    return f"{event.seq:>6}  {event.type}  {fields}"


try:
    import pytest
except ModuleNotFoundError:
    pass  # without pytest there is `record_run`
else:

    @pytest.fixture
    def recorded_run() -> Iterator[RecordedRun]:
        """Run a plugin without a server and ask what it reported; see `synapse_stream.testing`."""
        with record_run() as run:
            yield run

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        item: pytest.Item,
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Show with a failed test what its run had reported."""
        report = yield
        run = getattr(item, "funcargs", {}).get("recorded_run")
        if report.when == "call" and report.failed and isinstance(run, RecordedRun):
            report.sections.append(("Reported to recorded_run", _tell(run)))
        return report


def _tell(run: RecordedRun) -> str:
    try:
        return str(run)
    except Exception as error:  # noqa: BLE001 - the failure of the test is what must be seen
        return f"what was reported cannot be read: {error!r}"
