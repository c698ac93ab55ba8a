"""What the client accepts, no projection parks: the rules of both sides, side by side."""

from __future__ import annotations

import math
from contextlib import suppress
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any

import numpy as np
import orjson
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from consumers.views.archive.fold import ArchiveFold
from consumers.views.message_feed.reading import message
from consumers.views.run_state.fold import RunStateView
from consumers.views.run_state.reading import run_state
from synapse_stream.events import rules
from synapse_stream.events.encoding import encode, encode_plainest_metrics
from synapse_stream.events.types import UnknownEvent, parse
from synapse_stream.loggers.base import BaseLogger
from synapse_stream.loggers.null import NullLogger
from synapse_stream.redaction.body import redact_body
from synapse_stream.reporting.context import RuntimeContext
from tests.property.weird import WEIRD
from tests.support.events import START
from tests.support.folding import VIEWS, Scene

# On a machine that is busy, making examples takes long.
BUSY = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


class Text(str):
    __slots__ = ()


class Code(Enum):
    A = "a\0"
    B = 2


class LineLogger(BaseLogger):
    """Keeps what a StreamLogger would put into its spool."""

    def __init__(self) -> None:
        super().__init__("job-1")
        self.lines: list[bytes] = []
        self.report("run_started", None, {"host": "n\0", "pid": 1, "rank": 0, "attempt": None})

    def record(self, kind: str, step: str | None, fields: dict[str, Any]) -> None:
        if kind == "end":
            fields = {"error": None, "result": None, **fields, "rank": 0}
            fields["count"] = len(self.lines) + 1
        for body in encode(kind, step, fields):
            masked = body if kind == "metrics" else redact_body(body, ())
            head = b'{"seq":%d,"time":%d,' % (len(self.lines), START + len(self.lines))
            self.lines.append(head + masked)

    def complain(self, failure: BaseException) -> None:
        raise failure


def fold(lines: list[bytes]) -> Scene:
    """Fold with every projection and read what comes of it; fail if something is parked."""
    for line in lines:
        assert not isinstance(parse(line), UnknownEvent)
    scene = Scene().sends(b"\n".join(lines) + b"\n", len(lines))
    for view in VIEWS:
        document = scene.fold(view).document()
        assert scene.parked == [], [(parked.reason, parked.raw) for parked in scene.parked]
        if view is RunStateView:
            state = run_state("job-1", document)
            assert state is not None
            orjson.dumps([state.latest.steps, state.latest.actions], default=str)
    for key in scene.points:
        assert_storable(key.name, key.step)
    for row in scene.rows:
        assert_storable(row.content, row.step, row.key, row.file, row.level)
        assert message(row).content is not None
    return scene


def assert_storable(*texts: str | None) -> None:
    for text in texts:
        assert text is None or "\0" not in text
        assert text is None or text.encode().decode() == text


NUMBERS = (
    st.integers()
    | st.floats()
    | st.booleans()
    | st.decimals()
    | st.fractions()
    | st.floats(width=32).map(np.float32)
    | st.integers(0, 255).map(np.uint8)
    | st.floats().map(lambda number: np.array([number]))
    | st.sampled_from(
        [10**400, -(10**400), 2**53, 5e-324, 1.7e308, np.ma.masked, Fraction(1, 10**400)]
    )
    | st.sampled_from([np.ma.array([1.0], mask=[True]), Decimal("sNaN"), np.float64("inf")])
)
NAMES = (
    st.text()
    | st.text(st.sampled_from("a\0\ud800한"), max_size=5)
    | st.sampled_from(
        [
            "x" * 600,
            "\0" * 513,
            "\ud800" * 512,
            "한" * 600,
            "",
            "$float",
            "…",
            "null",
            '"\\',
            "\x85",
        ]
    )
    | st.text().map(Text)
    | st.sampled_from([*Code, b"x", 5, None, 0.5, True, np.str_("np"), np.float64(0.5)])
)
ANY = WEIRD | NUMBERS | NAMES
LEVELS = st.sampled_from(["info", "error", "debug", "critical", "loud", "", Text("danger")]) | ANY
TEMPLATES = st.dictionaries(NAMES, NAMES, max_size=3) | NAMES | ANY
DATA = st.dictionaries(NAMES, ANY, max_size=3)
PARAMS = st.dictionaries(
    st.sampled_from(["level", "step", "language", "n", "a\0", "self_", "x" * 600]), ANY, max_size=3
)

CALLS = st.one_of(
    st.tuples(st.just("set_metrics"), st.tuples(st.dictionaries(NAMES, NUMBERS | ANY), NAMES)),
    st.tuples(st.just("set_progress"), st.tuples(NUMBERS | ANY, NUMBERS | ANY, NAMES)),
    st.tuples(st.just("set_progress"), st.tuples(st.floats(0, 1.7e308), st.just(1.7e308), NAMES)),
    st.tuples(st.just("set_progress_failed"), st.tuples(NAMES, ANY)),
    st.tuples(st.just("log"), st.tuples(NAMES, DATA, st.none() | NAMES | ANY)),
    st.tuples(st.just("log_dev_event"), st.tuples(ANY, ANY)),
    st.tuples(st.just("log_message"), st.tuples(TEMPLATES, LEVELS, PARAMS)),
    st.tuples(st.just("step"), st.tuples(NAMES)),
    st.tuples(st.just("action"), st.tuples(NAMES)),
    st.tuples(st.just("track"), st.tuples(NUMBERS | ANY, NAMES)),
    st.tuples(st.just("x"), st.tuples(NUMBERS | ANY)),
)


def make(ctx: RuntimeContext, call: str, given: tuple[Any, ...]) -> None:
    if call == "log_message":
        ctx.log_message(given[0], given[1], **given[2])
    elif call == "step":
        with ctx.step(given[0]):
            ctx.set_progress(1, 2)
    elif call == "action":
        with suppress(ZeroDivisionError), ctx.action(given[0]):
            raise ZeroDivisionError(given[0])
    elif call == "track":
        assert list(ctx.track("ab", *given)) == ["a", "b"]
    elif call == "x":
        ctx.set_metrics({"loss": 1}, x=given[0])
    else:
        getattr(ctx, call)(*given)


@BUSY
@given(st.lists(CALLS, max_size=8), st.sampled_from(["completed", "failed"]), ANY, ANY)
@example([("set_metrics", ({"a\0b": 1.0, "good": 2.0}, "s\0t"))], "completed", None, None)
@example([("action", ("x" * 600,)), ("step", ("phase\0",))], "completed", "\0", {"\0": 1})
@example([("set_progress", (0.0, 1.7e308, None)), ("set_progress", (1.7e308, 1.7e308, None))] * 3,
         "failed", None, None)  # fmt: skip
def test_no_projection_parks_what_a_report_call_accepts(
    calls: list[tuple[str, tuple[Any, ...]]], status: str, error: Any, result: Any
) -> None:
    logger = LineLogger()
    ctx = RuntimeContext(logger, {})
    for call, values in calls:
        make(ctx, call, values)
    ctx.end_log(status, error, result)

    scene = fold(logger.lines)

    assert scene.attempt.status == status


@BUSY
@given(
    st.dictionaries(NAMES, NUMBERS | ANY),
    st.none() | NAMES.filter(lambda name: name is None or isinstance(name, str)),
)
@example({"a\0": 1.0}, "s")
@example({"x" * 600: 1.0}, None)
@example({"a": math.nan, "null": True}, "x" * 600)
@example({"\ud800" * 512: 1}, "\ud800" * 512)
def test_the_short_way_writes_what_the_long_way_writes(values: Any, step: Any) -> None:
    body = encode_plainest_metrics(values, step)

    if body is not None:
        assert (body,) == encode("metrics", rules.step_name(step), rules.metrics(values))


@BUSY
@given(st.dictionaries(NAMES, NUMBERS | ANY, min_size=1), st.sampled_from([None, "bad", {}, b""]))
def test_one_bad_value_costs_itself(values: dict[Any, Any], bad: Any) -> None:
    logger = LineLogger()
    before = logger.lines.copy()
    RuntimeContext(logger, {}).set_metrics({**values, "bad": bad, "good": 0.25})

    events = [orjson.loads(line) for line in logger.lines[len(before) :]]

    assert [event["type"] for event in events] == ["metrics", "dev_event"]
    assert events[0]["values"]["good"] == 0.25
    assert "bad" not in events[0]["values"]
    kept = len(events[0]["values"])
    assert kept + events[1]["rejected"] == len({**values, "bad": bad, "good": 0.25})


def test_every_projection_is_held_against_the_client() -> None:
    assert {view.name for view in VIEWS} == {"run-state", "metric-history", "message-feed"}
    assert ArchiveFold.name == "archive"  # takes bytes as they come and parks no event
    assert NullLogger().job_id is None
