"""What a slow reader does without: only what something newer says, and it is counted."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from consumers.api.live.coalescing import Coalescer
from consumers.api.shapes import Line
from synapse_stream.entries.position import Position
from tests.live.lines import line

STEPS = st.sampled_from([None, "", "fit", "eval"])
EVENTS = st.one_of(
    st.fixed_dictionaries({"type": st.just("message"), "content": st.text(max_size=3)}),
    st.fixed_dictionaries(
        {"type": st.just("progress"), "step": STEPS, "current": st.integers(0, 9)}
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("metrics"),
            "step": STEPS,
            "values": st.dictionaries(st.sampled_from("abc"), st.integers(0, 9)),
        }
    ),
    st.sampled_from(
        [
            {"type": "metrics", "values": [1]},
            {"type": "metrics"},
            {"type": "progress", "step": 5},
            {"type": "metrics", "step": {}, "values": {"a": 1}},
        ]
    ),
)


def newest(events: list[dict[str, Any]]) -> dict[Any, Any]:
    """Return the last that events say of each step and name."""
    said: dict[Any, Any] = {}
    for event in events:
        if event["type"] == "progress":
            said["progress", str(event.get("step"))] = event.get("current", 0)
        elif event["type"] == "metrics" and isinstance(event.get("values"), dict):
            for name, value in event["values"].items():
                said[str(event.get("step")), name] = value
    return said


@given(st.lists(EVENTS, max_size=40))
def test_nothing_is_left_out_but_what_something_newer_says(events: list[dict[str, Any]]) -> None:
    coalescer = Coalescer()
    lines = [line(Position(number, 0), event) for number, event in enumerate(events)]
    for each in lines:
        coalescer.add(each)
    kept = list(coalescer.lines())
    shown = [orjson.loads(each.json) for each in kept]

    assert [each for each in lines if each in kept] == kept
    assert len(kept) + coalescer.left_out == len(lines)
    assert coalescer.size == sum(len(each.json) for each in kept)
    others = [each for each in lines if each.type not in {"progress", "metrics"}]
    assert [each for each in kept if each.type not in {"progress", "metrics"}] == others
    assert newest(shown) == newest(events)


def test_the_newest_of_a_step_is_all_that_stays_of_its_progress() -> None:
    coalescer = Coalescer()
    for number in range(1000):
        coalescer.add(
            line(Position(number, 0), {"type": "progress", "step": "fit", "current": number})
        )

    (kept,) = coalescer.lines()
    assert orjson.loads(kept.json)["current"] == 999
    assert coalescer.left_out == 999


def test_producers_are_kept_apart() -> None:
    coalescer = Coalescer()
    for producer in ("rank 0", "rank 1", "rank 0"):
        coalescer.add(Line(Position(1, 0), producer, "progress", b'{"type":"progress"}'))

    assert [each.producer for each in coalescer.lines()] == ["rank 1", "rank 0"]
