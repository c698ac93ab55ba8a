from __future__ import annotations

import asyncio
import contextvars
import math
import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from synapse_stream.reporting.context import RuntimeContext
from tests.support.recording import Recorded, RecordingLogger

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def logger() -> RecordingLogger:
    return RecordingLogger()


@pytest.fixture
def ctx(logger: RecordingLogger) -> RuntimeContext:
    return RuntimeContext(logger)


def steps_of(logger: RecordingLogger) -> list[str | None]:
    return [event.step for event in logger.events]


def test_the_current_step_serves_reports_that_name_none(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    with ctx.step("outer"):
        ctx.set_progress(1, 2)
        with ctx.step("inner"):
            ctx.set_metrics({"loss": 1})
            ctx.log("x", {}, step="named")
        ctx.log_message("x")
    ctx.log("x", {})

    assert steps_of(logger) == ["outer", "inner", "named", "outer", None]


def test_the_current_step_is_left_by_exception_too(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    with pytest.raises(OSError, match="gone"), ctx.step("training"):
        raise OSError("gone")
    ctx.set_progress(1, 2)

    assert steps_of(logger) == [None]


def test_the_current_step_of_one_run_is_not_that_of_another(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    other = RecordingLogger()

    with ctx.step("training"):
        RuntimeContext(other).set_progress(1, 2)

    assert steps_of(other) == [None]


def test_threads_have_their_own_current_step(ctx: RuntimeContext, logger: RecordingLogger) -> None:
    is_inside = threading.Event()
    may_leave = threading.Event()

    def train() -> None:
        with ctx.step("training"):
            is_inside.set()
            may_leave.wait()
            ctx.set_progress(1, 2)

    thread = threading.Thread(target=train)
    thread.start()
    is_inside.wait()
    ctx.set_progress(1, 2)
    may_leave.set()
    thread.join()

    assert steps_of(logger) == [None, "training"]


def test_asyncio_tasks_have_their_own_current_step(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    async def work(step: str) -> None:
        with ctx.step(step):
            await asyncio.sleep(0)
            ctx.set_progress(1, 2)

    async def main() -> None:
        await asyncio.gather(work("a"), work("b"))

    asyncio.run(main())

    assert steps_of(logger) == ["a", "b"]


def test_a_step_left_in_another_context_is_no_error(ctx: RuntimeContext) -> None:
    step = ctx.step("training")
    contextvars.copy_context().run(step.__enter__)

    assert step.__exit__(None, None, None) in {None, False}


def test_an_action_is_running_and_then_completed(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    with ctx.action("train"):
        ctx.log_message("x")

    assert logger.kinds == ["action", "message", "action"]
    assert logger.actions == [("train", "running"), ("train", "completed")]


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt()])
def test_an_action_that_raises_has_failed_with_that_error(
    ctx: RuntimeContext, logger: RecordingLogger, error: BaseException
) -> None:
    with pytest.raises(type(error)), ctx.action("train"):
        raise error

    assert logger.actions == [("train", "running"), ("train", "failed")]
    assert type(error).__name__ in logger.of("action")[1]["error"]


def test_an_action_may_end_the_run_itself(ctx: RuntimeContext, logger: RecordingLogger) -> None:
    with ctx.action("train"):
        ctx.end_log()

    assert logger.kinds == ["action", "end"]


def test_track_reports_each_of_a_few_items(ctx: RuntimeContext, logger: RecordingLogger) -> None:
    assert list(ctx.track(["a", "b"], step="reading")) == ["a", "b"]

    assert [(event.step, event.fields["current"]) for event in logger.events] == [
        ("reading", 0),
        ("reading", 1),
        ("reading", 2),
    ]
    assert {event.fields["total"] for event in logger.events} == {2}


def test_track_reports_a_thousandth_of_many_items(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    assert sum(1 for _ in ctx.track(range(100_050))) == 100_050

    assert 1_000 <= len(logger.events) <= 1_100
    assert logger.events[-1] == Recorded("progress", None, {"current": 100_050, "total": 100_050})


@pytest.mark.parametrize(
    ("items", "total", "reported"),
    [
        ([], None, []),
        ([], 0, []),
        (iter([]), None, []),
        (iter("abc"), None, [(3, 3)]),
        (iter("abc"), 3, [(0, 3), (1, 3), (2, 3), (3, 3)]),
        (iter("abc"), 2, [(0, 2), (1, 2), (2, 2), (3, 3)]),
        (iter("ab"), 4, [(0, 4), (1, 4), (2, 4)]),
    ],
)
def test_track_makes_do_with_the_total_there_is(
    ctx: RuntimeContext, logger: RecordingLogger, items: Any, total: Any, reported: Any
) -> None:
    assert len(list(ctx.track(items, total))) in {0, 2, 3}

    assert [tuple(fields.values()) for fields in logger.of("progress")] == reported


class Loader:
    """Goes through two items; its length is as odd as those of data loaders."""

    def __init__(self, length: Any) -> None:
        self.length = length

    def __len__(self) -> Any:
        if isinstance(self.length, BaseException):
            raise self.length
        return self.length

    def __iter__(self) -> Iterator[str]:
        return iter("ab")


class Hinted:
    """Asks to be called once and not to be asked for its length."""

    def __length_hint__(self) -> int:
        pytest.fail("a hint is no length")

    def __iter__(self) -> Iterator[str]:
        return iter("ab")


@pytest.mark.parametrize(
    "items",
    [
        *map(Loader, [TypeError("no length"), NotImplementedError(), ZeroDivisionError(), -1]),
        *map(Loader, [10**30, math.inf, math.nan, 2.5, None, "2", 0]),
        Hinted(),
        iter("ab"),
        (letter for letter in "ab"),
    ],
)
def test_a_length_that_is_none_is_an_unknown_total(
    ctx: RuntimeContext, logger: RecordingLogger, items: Any
) -> None:
    logger.strict = True

    assert list(ctx.track(items)) == ["a", "b"]

    assert logger.of("progress") == [{"current": 2, "total": 2}]


@pytest.mark.parametrize(
    "total",
    [
        *[-1, -0.5, 0, math.inf, -math.inf, math.nan, 10**400, "2", "many", [2], {}, object(), 1j],
        *[
            b"2",
            np.array([1, 2]),
            np.datetime64(2, "s"),
            Decimal("nan"),
            Decimal(-1),
            np.ma.masked,
        ],
    ],
    ids=lambda total: type(total).__name__,
)
def test_an_unusable_total_is_an_unknown_one(
    ctx: RuntimeContext, logger: RecordingLogger, total: Any
) -> None:
    logger.strict = True

    assert list(ctx.track("ab", total)) == ["a", "b"]

    assert logger.of("progress") == [{"current": 2, "total": 2}]


@pytest.mark.parametrize("total", [2, 2.0, np.int64(2), np.array([2]), Decimal(2), 1.5, 0.1, True])
def test_a_total_of_any_kind_of_number_is_one(
    ctx: RuntimeContext, logger: RecordingLogger, total: Any
) -> None:
    assert list(ctx.track("ab", total)) == ["a", "b"]

    assert [fields["current"] for fields in logger.of("progress")] == [0, 1, 2]
    assert logger.of("progress")[-1]["total"] == 2


def test_a_loop_left_early_leaves_the_progress_where_it_was(
    ctx: RuntimeContext, logger: RecordingLogger
) -> None:
    for item in ctx.track([1, 2, 3]):
        if item == 2:
            break

    assert logger.of("progress")[-1] == {"current": 1, "total": 3}
