"""What pickle and copy make of contexts and loggers; other processes are in tests/process."""

from __future__ import annotations

import copy
import pickle
import threading
from typing import TYPE_CHECKING, Any

import cloudpickle
import pytest

from synapse_stream.errors import RunEnded
from synapse_stream.loggers import copies
from synapse_stream.loggers.console import ConsoleLogger
from synapse_stream.loggers.foreign import ForeignLogger, adapt
from synapse_stream.loggers.many import ManyLogger
from synapse_stream.loggers.null import NullLogger
from synapse_stream.loggers.stream import StreamLogger
from synapse_stream.reporting.context import RuntimeContext
from synapse_stream.reporting.environment import PluginEnvironment
from tests.support.recording import RecordingLogger

if TYPE_CHECKING:
    from synapse_stream.loggers.copies import Copied


class Mine:
    """A plugin's own logger that can be pickled."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def log_message(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture(params=[pickle, cloudpickle], ids=["pickle", "cloudpickle"])
def elsewhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Copy an object as another process would get it."""

    def send(original: Any) -> Any:
        content = request.param.dumps(original)
        monkeypatch.setattr(copies, "_originals", {})
        monkeypatch.setattr(copies, "_kept", type(copies._kept)())
        return pickle.loads(content)

    return send


def everything() -> list[Copied]:
    return [
        RuntimeContext(NullLogger()),
        NullLogger(),
        RecordingLogger(),
        ConsoleLogger("job-1"),
        adapt(Mine()),
        ManyLogger(NullLogger("job-1"), Mine()),
    ]


@pytest.mark.parametrize("original", everything(), ids=lambda each: type(each).__name__)
def test_in_this_process_a_copy_is_the_original(original: Copied) -> None:
    assert pickle.loads(pickle.dumps(original)) is original
    assert copy.copy(original) is original
    assert copy.deepcopy([original])[0] is original


@pytest.mark.parametrize("original", everything(), ids=lambda each: type(each).__name__)
def test_elsewhere_it_is_another_one_that_works(original: Any, elsewhere: Any) -> None:
    found = elsewhere(original)

    assert type(found) is type(original)
    assert found is not original
    found.log_message("x")
    found.end_log()


def test_all_copies_of_one_original_are_one_object_there(elsewhere: Any) -> None:
    logger = RecordingLogger()

    first, (second, context) = elsewhere((logger, [logger, RuntimeContext(logger)]))

    assert first is second is context.logger


def test_of_a_context_goes_along_what_can(elsewhere: Any, caplog: pytest.LogCaptureFixture) -> None:
    env = PluginEnvironment({"path": "/data", "lock": threading.Lock()})
    original = RuntimeContext(
        NullLogger("job-1"), env, client=threading.Lock(), agent_client="agent",
        checkpoint={"path": "x"},
    )  # fmt: skip

    found = elsewhere(original)

    assert (found.job_id, found.env.path, found.agent_client) == ("job-1", "/data", "agent")
    assert found.checkpoint == {"path": "x"}
    assert found.client is None
    assert "lock" not in found.env
    said = sorted(record.getMessage().split(" cannot be")[0] for record in caplog.records)
    assert said == [
        "the context of job job-1: its client",
        "the environment of job job-1: its lock",
    ]


def test_a_loggers_object_that_cannot_go_along_is_said_and_missed(
    elsewhere: Any, caplog: pytest.LogCaptureFixture
) -> None:
    mine = Mine()
    mine.lock = threading.Lock()  # type: ignore[attr-defined]

    found = elsewhere(ForeignLogger(mine))
    found.log_message("nobody hears it")

    assert len(caplog.records) == 1
    assert mine.said == []


def test_what_has_ended_has_ended_in_its_copies(elsewhere: Any) -> None:
    logger = RecordingLogger()
    logger.end_log()

    with pytest.raises(RunEnded):
        elsewhere(logger).log_message("late")


def test_a_worker_of_many_runs_keeps_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[str] = []

    class Counting(NullLogger):
        def leave_kept(self) -> None:
            left.append(str(self.job_id))

    contents = [Counting(f"job-{number}").__reduce__() for number in range(18)]
    monkeypatch.setattr(copies, "_originals", {})
    monkeypatch.setattr(copies, "_kept", type(copies._kept)())
    for function, arguments in contents:
        function(*arguments)

    assert left == ["job-0", "job-1"]


def test_a_copy_of_a_stream_logger_is_a_child_from_its_first_report_on(
    settings: Any, elsewhere: Any
) -> None:
    original = StreamLogger("job-1", settings)

    found = elsewhere(original)
    try:
        assert (found.rank, found._producer) == (None, None)
        assert found._parent == original._producer.id  # type: ignore[union-attr]
    finally:
        original.close()
