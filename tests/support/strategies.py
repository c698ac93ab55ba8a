"""Strategies for runs: as producers write them, and as nobody should."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import strategies as st

from synapse_stream.models import ActionStatus, LogLevel, RunStatus

levels = st.sampled_from([level.value for level in LogLevel])
steps = st.none() | st.sampled_from(["", "prepare", "train"])
names = st.sampled_from(["loss", "accuracy", "lr"])
times = st.integers(1_763_880_000_000_000, 1_763_880_900_000_000)
texts = st.text(max_size=8)
leaves = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts
json_values = st.recursive(
    leaves | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
finite = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
numbers = finite | st.sampled_from(["NaN", "Infinity", "-Infinity"])


def event(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return events of a type with these fields of its own."""
    return st.fixed_dictionaries(
        {"type": st.just(kind), "v": st.just(1), "time": times, "step": steps, **fields}
    )


def _progress(parts: tuple[int, int]) -> dict[str, Any]:
    return {"current": min(parts), "total": max(parts) or 1}


def _flat(pair: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    return pair[0] | pair[1]


values = st.dictionaries(names, numbers, max_size=3)
progress = st.tuples(
    event("progress"),
    st.tuples(st.integers(0, 20), st.integers(0, 20)).map(_progress)
    | st.fixed_dictionaries({"failed": st.just(True), "error": st.none() | texts}),
).map(_flat)
starts = event(
    "run_started",
    rank=st.integers(0, 2),
    attempt=st.none() | st.integers(1, 3),
    host=texts,
    pid=st.integers(1, 9999),
    params=json_values,
    labels=st.dictionaries(texts, json_values, max_size=2),
    sdk=st.dictionaries(texts, texts, max_size=2),
)
plans = event(
    "plan",
    steps=st.dictionaries(
        st.sampled_from(["", "prepare", "train", "loss"]), st.none() | st.integers(1, 9), max_size=3
    ),
)
others = st.one_of(
    plans,
    event("metrics", values=values),
    event("metrics", values=values, x=numbers),
    progress,
    event("message", content=texts, level=levels),
    event(
        "message",
        content=texts,
        level=levels,
        key=texts,
        template=st.dictionaries(st.sampled_from(["en", "ko"]), texts | st.just("{n}")),
        params=st.dictionaries(st.just("n"), json_values),
    ),
    event("dev_event", message=texts, data=json_values),
    event("dev_event", message=texts, rejected=st.none() | st.integers(0, 9)),
    event("terminating", signal=st.sampled_from(["SIGTERM", "SIGHUP"])),
    event("log", event=texts, data=st.dictionaries(texts, json_values, max_size=2), level=levels),
    event(
        "action",
        name=names,
        status=st.sampled_from([status.value for status in ActionStatus]),
        error=st.none() | texts,
    ),
    event("heartbeat"),
    event(
        "loss",
        counts=st.dictionaries(names, st.integers(0, 9), max_size=2),
        first=st.none() | st.just(0),
        last=st.none(),
        reason=texts,
        uncounted=st.booleans(),
    ),
    event("a_type_of_tomorrow", anything=json_values),
)
producers = st.sampled_from(["p0", "p1", "p2", "p3"])
children = st.none() | st.lists(
    st.fixed_dictionaries({"producer": producers, "pid": st.integers(1, 9)}), max_size=3
)
counts_of_children = st.none() | st.integers(0, 4)
placings = event("joined", parent=st.none() | producers, host=texts, pid=st.integers(1, 9)) | event(
    "resumed",
    producer=producers,
    last=st.integers(-1, 20),
    rank=st.none() | st.integers(0, 2),
    host=texts,
    pid=st.integers(1, 9),
    reason=texts,
)
"""Where they are the first event of a producer, they decide where it belongs."""
endings = event(
    "end",
    status=st.none()
    | st.sampled_from([status.value for status in RunStatus if status.is_terminal]),
    error=st.none() | texts,
    result=json_values,
    count=st.none() | st.integers(0, 50),
    rank=st.none() | st.integers(0, 2),
    children=children,
    child_count=counts_of_children,
    signal=st.none() | st.just("SIGTERM"),
) | event(
    "producer_lost",
    rank=st.none() | st.integers(0, 2),
    host=texts,
    pid=st.integers(1, 9),
    reason=texts,
    children=children,
    child_count=counts_of_children,
)

any_events = st.lists(others | others | others | starts | endings | placings, max_size=25)


def event_lists(*, starts: bool = True) -> st.SearchStrategy[list[bytes]]:
    """Return the lines of one producer, with any number of starts and ends, or with none."""
    events = placed_events() if starts else st.lists(others, max_size=25)
    return events.map(lambda found: [orjson.dumps(one) for one in found])


def placed_events() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return the events of one producer, which may begin with what says where it belongs."""
    first = st.lists(placings | starts, max_size=1)
    return st.tuples(first, any_events).map(lambda parts: [*parts[0], *parts[1]])


junk = (
    json_values
    | st.integers(2**53, 2**64 - 1)
    | st.sampled_from([-1, 1e308, "x" * 600, "nul\0", [[]], {"$float": "NaN"}])
)
_FIELDS = """
    type v time step values x current total failed error content level key template params data
    message event file name status rank attempt host pid python sdk labels result count counts first
    last reason action plugin steps parent producer children child_count signal uncounted rejected
"""
fields = st.sampled_from(_FIELDS.split())


@st.composite
def fuzzed_events(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an event some of whose fields are gone or have become something else."""
    one = dict(draw(others | starts | endings | placings))
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(sorted(one)) | fields) if one else draw(fields)
        if draw(st.booleans()):
            one[name] = draw(junk)
        else:
            one.pop(name, None)
        inside = one.get("values")
        if isinstance(inside, dict) and draw(st.booleans()):
            one["values"] = inside | {draw(names | texts): draw(junk)}
    return one


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    line = bytearray(orjson.dumps(draw(fuzzed_events())))
    for _ in range(draw(st.integers(0, 3))):
        line[draw(st.integers(0, len(line) - 1))] = draw(st.integers(0, 255))
    return bytes(line[: draw(st.integers(0, len(line)))]).replace(b"\n", b" ")


def fuzzed_lines() -> st.SearchStrategy[list[bytes]]:
    """Return lines of one producer in which anything may be wrong."""
    line = (
        fuzzed_events().map(orjson.dumps)
        | _damaged()
        | json_values.map(orjson.dumps)
        | st.sampled_from(
            [
                b"[" * 900 + b"]" * 900,
                b'{"type":"message","v":1,"time":1,"data":' + b"[" * 300 + b"]" * 300 + b"}",
            ]
        )
    )
    return st.lists(line, max_size=15)
