"""Data that others change while it is walked, without luck: by the walk itself.

Another thread may run wherever foreign code is called or the garbage collector is: here both of
them change the data each time.
"""

from __future__ import annotations

import gc
import io
import sys
from collections import OrderedDict, UserDict, defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from synapse_stream.events.encoding import encode, encode_plainest_metrics
from synapse_stream.loggers.base import BaseLogger
from synapse_stream.loggers.console import ConsoleLogger
from synapse_stream.redaction import redact
from synapse_stream.reporting.context import RuntimeContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

KINDS: list[type[Any]] = [dict, OrderedDict, lambda: defaultdict(int), UserDict]  # type: ignore[list-item]


class Meddler:
    """A value that grows the mapping that it is in whenever it is looked at."""

    def __init__(self, mapping: Any) -> None:
        self.mapping = mapping
        self.times = 0

    def _meddle(self) -> None:
        self.times += 1
        self.mapping[f"more-{len(self.mapping)}"] = 1.0

    def __float__(self) -> float:
        self._meddle()
        return 0.5

    def __repr__(self) -> str:
        self._meddle()
        return "meddler"


class EncodingLogger(BaseLogger):
    def __init__(self) -> None:
        super().__init__("job-1")
        self.events: list[dict[str, Any]] = []

    def record(self, kind: str, step: str | None, fields: dict[str, Any]) -> None:
        self.events += [orjson.loads(b"{" + body) for body in encode(kind, step, fields)]

    def complain(self, failure: BaseException) -> None:
        raise failure


REPORTS = {
    "metrics": lambda ctx, data: ctx.set_metrics(data),
    "log": lambda ctx, data: ctx.log("event", data),
    "nested": lambda ctx, data: ctx.log("event", {"inner": [data]}),
    "dev event": lambda ctx, data: ctx.log_dev_event("event", data),
    "params": lambda ctx, data: ctx.log_message("message", data=data),
    "result": lambda ctx, data: ctx.end_log("completed", result=data),
}


@pytest.fixture
def meddling_collector() -> Iterator[Callable[[Any], None]]:
    """Have the collector grow a mapping at each of its turns, and take a turn at each chance."""
    thresholds, meddle = gc.get_threshold(), []

    def begin(mapping: Any) -> None:
        def grow(_phase: str, _info: object) -> None:
            mapping[f"more-{len(mapping)}"] = 1.0

        meddle.append(grow)
        gc.callbacks.append(grow)
        gc.set_threshold(1, 1, 1)

    yield begin
    gc.set_threshold(*thresholds)
    for grow in meddle:
        gc.callbacks.remove(grow)


@contextmanager
def meddling_between_lines(mapping: dict[str, Any]) -> Iterator[None]:
    """Grow a mapping before each line of ours, as a thread may that runs between them."""

    def trace(frame: FrameType, _event: str, _arg: object) -> Any:
        if "synapse_stream" not in frame.f_code.co_filename:
            return None
        mapping[f"more-{len(mapping)}"] = 1.0
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def test_metrics_on_the_short_way_may_be_changed_meanwhile() -> None:
    data: dict[str, Any] = {str(number): float(number) for number in range(10)}

    with meddling_between_lines(data):
        body = encode_plainest_metrics(data, "training")

    assert body is not None
    values = orjson.loads(b"{" + body)["values"]
    assert all(values[str(number)] == float(number) for number in range(10))


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
@pytest.mark.parametrize("make", KINDS, ids=["dict", "OrderedDict", "defaultdict", "UserDict"])
def test_a_mapping_that_its_values_change_is_recorded(report: Any, make: Any) -> None:
    data = make()
    data.update({"first": 1.0, "meddler": Meddler(data), "last": 3.0})
    logger = EncodingLogger()

    report(RuntimeContext(logger, {}), data)

    text = orjson.dumps(logger.events).decode()
    assert data["meddler"].times
    if make is not UserDict:  # a class of anybody's is read as it lets itself be read
        assert '"first":1.0' in text
        assert '"last":3.0' in text


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
@pytest.mark.parametrize("when", ["when garbage is collected", "between any two lines"])
def test_a_dict_that_others_change_meanwhile_is_recorded(
    report: Any, when: str, meddling_collector: Callable[[Any], None]
) -> None:
    data: dict[str, Any] = {str(number): float(number) for number in range(50)}
    data["odd"] = 10**30  # the short way does not take it
    logger = EncodingLogger()
    ctx = RuntimeContext(logger, {})

    if when == "between any two lines":
        with meddling_between_lines(data):
            report(ctx, data)
    else:
        meddling_collector(data)
        report(ctx, data)
        gc.set_threshold(0)

    text = orjson.dumps(logger.events).decode()
    assert all(f'"{number}":{float(number)}' in text for number in range(50))


def test_labels_and_params_that_others_change_are_recorded(
    meddling_collector: Callable[[Any], None],
) -> None:
    labels: dict[str, Any] = {str(number): [number] for number in range(50)}
    params = {"inner": labels}

    meddling_collector(labels)
    found, nested = redact(labels), redact(params)
    gc.set_threshold(0)

    assert all(found[str(number)] == [number] for number in range(50))
    assert all(nested["inner"][str(number)] == [number] for number in range(50))


def test_templates_that_others_change_are_recorded(
    meddling_collector: Callable[[Any], None],
) -> None:
    templates = {f"l{number}": "text" for number in range(50)}
    logger = EncodingLogger()
    ctx = RuntimeContext(logger, {})

    meddling_collector(templates)
    ctx.log_message(templates, step="s", n=1)
    gc.set_threshold(0)

    assert [event["type"] for event in logger.events][:1] == ["message"]
    assert logger.events[0]["template"]["l49"] == "text"


def test_what_others_change_is_shown() -> None:
    stream = io.StringIO()
    data: dict[str, Any] = {"first": 1.0}
    data |= {"meddler": Meddler(data), "last": 3.0}

    RuntimeContext(ConsoleLogger(stream=stream)).log("event", data)

    assert "first=1 meddler=meddler last=3" in stream.getvalue()
