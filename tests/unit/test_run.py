from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from synapse_stream.errors import ConfigError
from synapse_stream.loggers.endings import Terminated
from synapse_stream.reporting.action import BaseAction
from synapse_stream.reporting.opened import OpenRun
from synapse_stream.reporting.run import check_job_id, make_job_id, open_run
from synapse_stream.settings import Settings
from synapse_stream.system.revision import revision
from tests.support.recording import RecordingLogger

if TYPE_CHECKING:
    from collections.abc import Iterator


class Params(BaseModel):
    api_key: str = "hunter2"
    epochs: int = 2


class Train(BaseAction[Params]):
    action_name = "train"

    def execute(self) -> None: ...


@pytest.fixture(autouse=True)
def default_handler() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)


def handler() -> Any:
    return signal.getsignal(signal.SIGTERM)


def open_recorded() -> tuple[OpenRun, RecordingLogger]:
    logger = RecordingLogger()
    return OpenRun(logger), logger


@pytest.mark.parametrize("job_id", ["job-42", "a", "x" * 200, "실험-1", "a.b:c@d%e?f", "..."])
def test_a_job_id_may_be_any_visible_text(job_id: str) -> None:
    check_job_id(job_id)


@pytest.mark.parametrize(
    "job_id",
    ["", "x" * 201, "a b", "a\nb", "a\x00b", "a\x1b[2J", "a/b", "a\\b", "{a}", ".", "..",
     "a\u200bb", "\ud800", "a\u202eb", "\u3000", 5, b"job"],
)  # fmt: skip
def test_a_job_id_that_would_break_a_key_or_path_is_refused(job_id: Any) -> None:
    with pytest.raises(ValueError, match="1 to 200 visible characters") as raised:
        check_job_id(job_id)

    assert repr(job_id) in str(raised.value)


def test_made_job_ids_differ_and_are_allowed() -> None:
    made = {make_job_id() for _ in range(1_000)}

    assert len(made) == 1_000
    for job_id in made:
        check_job_id(job_id)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"job_id": "a b"}, "job_id='a b'"),
        ({"rank": -1}, "rank=-1"),
        ({"rank": 1}, "job_id=None"),
        ({"attempt": 0}, "attempt=0"),
        ({"labels": ["a"]}, r"labels=\['a'\]"),
        (
            {"on_unavailable": "hope"},
            "on_unavailable='hope' is not allowed; expected spool or raise",
        ),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_opened(
    arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        open_run(**arguments, settings=Settings())


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNAPSE_STREAM_PARTITIONS", "many")

    with pytest.raises(ConfigError, match="SYNAPSE_STREAM_PARTITIONS='many'"):
        open_run("job-1")


def test_the_start_of_a_run_says_who_runs_what_where() -> None:
    run, logger = open_recorded()
    with run:
        run.record_start(Train, Params(), 2, 3, {"team": "vision", "token": "hunter2"})

    (started,) = logger.of("run_started")
    assert started["action"] == "train"
    assert started["plugin"] == Train.__module__
    assert started["pid"] == os.getpid()
    assert (started["rank"], started["attempt"]) == (2, 3)
    assert started["host"]
    assert started["python"] == ".".join(map(str, sys.version_info[:3]))
    assert started["params"] == {"api_key": "***", "epochs": 2}
    assert started["labels"] == {"team": "vision", "token": "***"}
    assert started["sdk"]["synapse-stream"]
    assert started["code"] == revision(Path.cwd())
    assert started["machine"]["cpus"] == os.cpu_count()


def test_an_action_of_a_distribution_is_named_after_that() -> None:
    run, logger = open_recorded()
    with run:
        run.record_start(BaseModel, None, 0, None, None)

    assert logger.of("run_started")[0]["plugin"] == "pydantic"


def test_sigterm_is_an_exception_while_a_run_is_open_and_then_as_before() -> None:
    run, logger = open_recorded()
    with pytest.raises(Terminated) as raised, run:
        os.kill(os.getpid(), signal.SIGTERM)

    assert raised.value.code == 143
    assert handler() is signal.SIG_DFL
    assert logger.of("end") == [{"status": "cancelled", "error": "terminated by SIGTERM"}]


def test_an_explicit_end_gives_sigterm_back_as_well() -> None:
    run, _ = open_recorded()

    assert handler() is not signal.SIG_DFL
    run.end_log()
    assert handler() is signal.SIG_DFL


def test_an_end_whose_wait_is_interrupted_gives_sigterm_back_as_well() -> None:
    class Interrupted(RecordingLogger):
        def close(self) -> None:
            raise KeyboardInterrupt

    logger = Interrupted()
    with pytest.raises(KeyboardInterrupt), OpenRun(logger):
        pass

    assert logger.of("end") == [{"status": "completed"}]
    assert handler() is signal.SIG_DFL


def test_a_wrong_status_ends_nothing_and_keeps_sigterm() -> None:
    run, logger = open_recorded()
    logger.strict = True

    with pytest.raises(ValueError, match="done"):
        run.end_log("done")
    assert handler() is not signal.SIG_DFL
    run.end_log()

    assert logger.of("end") == [{"status": "completed"}]


def test_of_runs_within_each_other_the_last_to_end_gives_sigterm_back() -> None:
    outer, _ = open_recorded()
    inner, _ = open_recorded()

    outer.end_log()
    assert handler() is not signal.SIG_DFL
    inner.end_log()
    assert handler() is signal.SIG_DFL


def test_another_handler_of_sigterm_stays() -> None:
    def own(*_: object) -> None: ...

    signal.signal(signal.SIGTERM, own)
    before, _ = open_recorded()
    assert handler() is own
    before.end_log()
    assert handler() is own


def test_a_handler_that_the_plugin_sets_during_the_run_stays() -> None:
    def own(*_: object) -> None: ...

    run, _ = open_recorded()
    signal.signal(signal.SIGTERM, own)
    run.end_log()

    assert handler() is own


def test_a_run_opened_in_a_thread_leaves_signals_alone() -> None:
    seen: list[Any] = []

    def work() -> None:
        run, _ = open_recorded()
        seen.append(handler())
        run.end_log()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert seen == [signal.SIG_DFL]


def test_a_run_ended_in_a_thread_is_ended(caplog: pytest.LogCaptureFixture) -> None:
    run, logger = open_recorded()

    thread = threading.Thread(target=run.end_log)
    thread.start()
    thread.join()

    assert logger.kinds == ["end"]
    assert caplog.records == []
    with pytest.raises(Terminated):  # only the main thread can give the signal back
        os.kill(os.getpid(), signal.SIGTERM)
