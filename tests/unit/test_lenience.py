from __future__ import annotations

import logging
import os
from collections import UserDict
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

import synapse_stream
from synapse_stream.loggers.many import ManyLogger
from synapse_stream.models import RunStatus
from synapse_stream.reporting.context import RuntimeContext
from tests.support.recording import RecordingLogger

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBER_OF_CALLS = 3


class Name(str):
    """A text that is another key than its equal."""

    __slots__ = ()

    def __hash__(self) -> int:
        return super().__hash__() + 1

    def __eq__(self, other: object) -> bool:
        return self is other


class Level(NamedTuple):
    name: str


class Locked(UserDict[str, float]):
    def items(self) -> Any:
        msg = "it is being written"
        raise RuntimeError(msg)


class OddPath(os.PathLike[str]):
    def __fspath__(self) -> Any:
        msg = "nowhere"
        raise OSError(msg)


@pytest.fixture
def logger() -> RecordingLogger:
    return RecordingLogger()


@pytest.fixture
def ctx(logger: RecordingLogger) -> RuntimeContext:
    return RuntimeContext(logger)


def test_numbers_are_kept_and_the_rest_is_a_dev_event(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    nested = {"loss": 0.25}

    ctx.set_metrics(
        {"loss": 0.5, "val_loss": None, "lr": "low", "train": nested, 7: 1.0},  # type: ignore[dict-item]
        step="training",
        x="third",  # type: ignore[arg-type]
    )

    kept, rest = logger.events
    assert kept == ("metrics", "training", {"values": {"loss": 0.5}})
    assert (rest.kind, rest.step, rest.fields["rejected"]) == ("dev_event", "training", 5)
    assert rest.fields["data"]["call"] == "set_metrics"
    assert rest.fields["data"]["values"] == {
        "value['val_loss']": None,
        "value['lr']": "low",
        "value['train']": nested,
        "value[7]": "1.0",
        "x": "third",
    }


def test_where_no_number_is_left_there_is_no_metrics_event(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    ctx.set_metrics({"val_loss": None})
    ctx.set_metrics({})

    assert logger.kinds == ["dev_event", "metrics"]


@pytest.mark.parametrize(
    ("current", "total"), [(5, 3), (-1, 3), (0, 0), ("a", 3), (1, None), (np.nan, 3), (1, np.inf)]
)
def test_impossible_progress_is_a_dev_event(
    ctx: RuntimeContext, logger: RecordingLogger, current: Any, total: Any
) -> None:
    ctx.set_progress(current, total, step="training")

    (event,) = logger.events
    assert (event.kind, event.step, event.fields["rejected"]) == ("dev_event", "training", 1)
    assert "must be" in event.fields["message"]


@pytest.mark.parametrize(
    ("report", "kind", "step", "has"),
    [
        (lambda ctx: ctx.log_message("m", "loud"), "message", None, {"level": "info"}),
        (lambda ctx: ctx.log_message("m", level=40), "message", None, {"level": "info"}),
        (lambda ctx: ctx.log_message(5), "message", None, {"content": "5"}),
        (lambda ctx: ctx.log_message({}), "message", None, {"content": "{}"}),
        (lambda ctx: ctx.log_message({"en": "m", "de": 5}), "message", None, {"content": "m"}),
        (lambda ctx: ctx.log("e", {"a": 1}, level="loud"), "log", None, {"level": "info"}),
        (lambda ctx: ctx.log("e", {"a": 1}, file=5), "log", None, {"data": {"a": 1}}),
        (lambda ctx: ctx.log("e", {"a": 1}, file=OddPath()), "log", None, {"event": "e"}),
        (lambda ctx: ctx.log(5, {"a": 1}), "log", None, {"event": "5"}),
        (lambda ctx: ctx.set_progress(1, 2, step=7), "progress", "7", {"current": 1}),
        (lambda ctx: ctx.set_metrics({"a": 1}, step=7), "metrics", "7", {"values": {"a": 1}}),
        (lambda ctx: ctx.set_progress_failed(step=7), "progress", "7", {"failed": True}),
    ],
)
def test_a_wrong_value_costs_itself_never_the_rest_of_the_call(
    ctx: RuntimeContext, logger: RecordingLogger, report: Any, kind: str, step: Any, has: Any
) -> None:
    report(ctx)

    kept, rest = logger.events
    assert (kept.kind, kept.step) == (kind, step)
    assert has.items() <= kept.fields.items()
    assert (rest.kind, rest.fields["rejected"]) == ("dev_event", 1)


@pytest.mark.parametrize("status", ["done", "running", 0, "", RunStatus.PENDING])
def test_a_status_that_ends_no_run_is_as_none(
    ctx: RuntimeContext, logger: RecordingLogger, status: Any
) -> None:
    with suppress(KeyError), ctx:
        ctx.end_log(status)
        raise KeyError(status)

    assert logger.kinds == ["dev_event", "end"]
    assert logger.of("dev_event")[0]["rejected"] == 1
    assert logger.of("end")[0]["status"] == "failed"


def test_a_wrong_status_of_a_run_that_has_ended_changes_nothing(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    ctx.end_log()
    ctx.end_log("done")

    assert logger.kinds == ["end"]


def test_a_step_and_an_action_without_a_text_for_a_name_go_on(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    with ctx.action(5), ctx.step(7):  # type: ignore[arg-type]
        ctx.set_progress(1, 2)

    assert logger.actions == [("5", "running"), ("5", "completed")]
    assert [event.step for event in logger.events if event.kind == "progress"] == ["7"]
    assert sum(fields["rejected"] for fields in logger.of("dev_event")) == 2


@pytest.mark.parametrize(
    "report",
    [
        lambda ctx: ctx.set_metrics([0.5]),
        lambda ctx: ctx.set_metrics(None),
        lambda ctx: ctx.set_metrics(0.5, step="training"),
        lambda ctx: ctx.set_metrics(),
        lambda ctx: ctx.set_progress(5),
        lambda ctx: ctx.log("e", None),
        lambda ctx: ctx.log("e", [1]),
        lambda ctx: ctx.log_message(),
    ],
)
def test_a_wrong_call_raises_as_ever(
    ctx: RuntimeContext, logger: RecordingLogger, report: Any
) -> None:
    with pytest.raises(TypeError):
        report(ctx)

    assert logger.events == []


def test_a_mapping_that_cannot_be_read_is_trouble_and_no_exception(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    ctx.set_metrics(Locked(loss=0.5))

    assert logger.kinds == ["dev_event"]


def test_each_key_is_warned_of_once_with_its_value_and_place(
    ctx: RuntimeContext, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(NUMBER_OF_CALLS):
        ctx.set_metrics({"val_loss": None})
    ctx.set_metrics({"lr": "low"})

    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 2
    assert "value['val_loss'] must be a number, not None" in warnings[0]
    assert "set_metrics at " in warnings[0]
    line = test_each_key_is_warned_of_once_with_its_value_and_place.__code__.co_firstlineno + 4
    assert f"{__file__}:{line}:" in warnings[0]
    assert "value['lr']" in warnings[1]


def test_a_plugin_whose_folder_begins_as_ours_is_named_as_the_place(
    ctx: RuntimeContext, caplog: pytest.LogCaptureFixture
) -> None:
    place = f"{Path(synapse_stream.__file__).parent}_plugin/train.py"
    exec(compile("ctx.set_metrics({'loss': None})", place, "exec"), {"ctx": ctx})

    assert f"set_metrics at {place}:1:" in caplog.text


def test_names_that_are_stored_alike_are_kept_apart(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    ctx.set_metrics({"a\0": 1, "a␀": 2, Name("loss"): 3, "loss": 4})

    assert logger.of("metrics")[0]["values"] == {"a␀": 1, "a␀~": 2, "loss": 3, "loss~": 4}
    assert len(logger.events) == 1


def test_many_loggers_are_as_strict_as_the_strictest() -> None:
    strict, lenient = RecordingLogger(), RecordingLogger()
    strict.strict = True

    RuntimeContext(ManyLogger(lenient)).set_metrics({"a": None})
    with pytest.raises(TypeError, match="'a'"):
        RuntimeContext(ManyLogger(lenient, strict)).set_metrics({"a": None})

    assert lenient.kinds == ["dev_event"]


@pytest.mark.parametrize(
    ("given", "recorded"),
    [
        ({"level": "error"}, (None, {"level": "error", "content": "m"})),
        ({"level": "debug", "context": "info"}, (None, {"level": "debug", "content": "m"})),
        ({"step": "training"}, ("training", {"level": "info", "content": "m"})),
        ({"step": None, "level": "critical"}, (None, {"level": "critical", "content": "m"})),
    ],
)
def test_level_and_step_of_a_message_are_taken_as_what_they_say(
    ctx: RuntimeContext, logger: RecordingLogger, given: Any, recorded: Any
) -> None:
    ctx.log_message("m", **given)

    (event,) = logger.events
    assert (event.step, event.fields) == recorded


def test_language_says_which_template_is_rendered(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    templates = {"en": "{n} files", "ko": "파일 {n}개"}

    for language in ("ko", "en", "fr", None, 5):
        ctx.log_message(templates, n=2, language=language)

    contents = [fields["content"] for fields in logger.of("message")]
    assert contents == ["파일 2개", "2 files", "2 files", "2 files", "2 files"]
    assert all(fields["template"] == templates for fields in logger.of("message"))


def test_a_template_that_asks_for_these_names_gets_them(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    ctx.log_message(
        "step {step} at {level.name} in {language[0]}", step=3, level=Level("LOSS"), language="ko"
    )
    ctx.log_message({"en": "done", "de": "Schritt {step}"}, step=3)

    first, second = logger.events
    assert first.fields["content"] == "step 3 at LOSS in k"
    assert (first.step, first.fields["level"]) == (None, "info")
    assert second.step is None
    assert second.fields["params"] == {"step": 3}


@pytest.fixture(autouse=True)
def unformatted(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert all(record.getMessage() for record in caplog.records)
