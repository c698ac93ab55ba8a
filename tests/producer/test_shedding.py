"""What is shed under pressure, in which order, and that it is counted."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synapse_stream.events.encoding import encode
from synapse_stream.producer.spool.newest import Newest
from synapse_stream.producer.spool.quota import Quota
from synapse_stream.producer.spool.shedding import Cause, Pressure, Shedding

NEVER_SHED = ("run_started", "joined", "resumed", "terminating", "end", "loss", "producer_lost")
NOT_FOR_WANT_OF_ROOM = ("message", "log", "action")


def body(kind: str, step: str | None = None, **fields: Any) -> bytes:
    (encoded,) = encode(kind, step, fields)
    return encoded


def progress(current: int, step: str | None = None) -> bytes:
    return body("progress", step, current=current, total=100)


def metrics(step: str | None = None, **values: float) -> bytes:
    return body("metrics", step, values=values)


SHED = {"progress": progress(1), "metrics": metrics(loss=1), "dev_event": body("dev_event")}


def pressed(room: Pressure = Pressure.NONE, quota: Pressure = Pressure.NONE) -> Shedding:
    shedding = Shedding()
    shedding.press(room, quota)
    return shedding


@pytest.mark.parametrize(
    ("share", "pressure"),
    [
        (0.0, Pressure.NONE),
        (0.69, Pressure.NONE),
        (0.7, Pressure.NO_DEV_EVENTS),
        (0.85, Pressure.THINNED),
        (1.0, Pressure.ESSENTIALS),
        (3.0, Pressure.ESSENTIALS),
    ],
)
def test_pressure_follows_the_filled_share(share: float, pressure: Pressure) -> None:
    assert Pressure.of(share) is pressure


@pytest.mark.parametrize(
    ("used", "pressure"),
    [
        (0.99, Pressure.NONE),
        (1.0, Pressure.NO_DEV_EVENTS),
        (1.22, Pressure.THINNED),
        (1.43, Pressure.ESSENTIALS),
        (2.8, Pressure.ESSENTIALS),
        (3.0, Pressure.NO_REPORTS),
    ],
)
def test_a_quota_presses_when_it_is_used_up(used: float, pressure: Pressure) -> None:
    assert Pressure.of_quota(used) is pressure


@pytest.mark.parametrize("kind", NEVER_SHED)
@pytest.mark.parametrize("pressure", list(Pressure))
def test_essentials_are_never_shed(kind: str, pressure: Pressure) -> None:
    shedding = pressed(pressure, pressure)

    assert all(shedding.admits(kind, b"") for _ in range(100))
    assert shedding.take_counts() == {}


@pytest.mark.parametrize("kind", NOT_FOR_WANT_OF_ROOM)
def test_messages_are_shed_by_the_quota_only_and_at_last(kind: str) -> None:
    for shedding in (pressed(Pressure.ESSENTIALS), pressed(quota=Pressure.ESSENTIALS)):
        assert shedding.admits(kind, b"")
    shedding = pressed(quota=Pressure.NO_REPORTS)

    assert not shedding.admits(kind, b"")
    assert shedding.take_counts() == {Cause.QUOTA: {kind: 1}}


def test_dev_events_go_first() -> None:
    shedding = pressed(Pressure.NO_DEV_EVENTS)

    assert [kind for kind in SHED if not shedding.admits(kind, SHED[kind])] == ["dev_event"]
    assert shedding.take_counts() == {Cause.FULL: {"dev_event": 1}}


def test_progress_and_metrics_are_thinned_to_one_in_ten() -> None:
    shedding = pressed(Pressure.THINNED)

    admitted = [shedding.admits("metrics", SHED["metrics"]) for _ in range(100)]

    assert admitted.count(True) == 10
    assert shedding.take_counts() == {Cause.FULL: {"metrics": 90}}


def test_of_progress_and_metrics_that_take_turns_both_are_kept() -> None:
    shedding = pressed(Pressure.THINNED)

    offered = ["metrics", "progress"] * 100
    kept = [kind for kind in offered if shedding.admits(kind, SHED[kind])]

    assert kept == ["metrics", "progress"] * 10


def test_the_newest_of_what_was_shed_comes_back_when_there_is_room() -> None:
    shedding = pressed(Pressure.ESSENTIALS)
    for number in range(3):
        shedding.admits("progress", progress(number))

    assert shedding.take_newest() == []
    assert shedding.take_counts() == {Cause.FULL: {"progress": 2}}  # the third may come back
    assert shedding.take_counts() == {}

    shedding.admits("progress", progress(3))
    shedding.press(Pressure.NONE, Pressure.NONE)
    assert not shedding.is_idle
    assert shedding.take_newest() == [("progress", progress(3))]
    assert shedding.take_counts() == {Cause.FULL: {"progress": 1}}
    assert shedding.is_idle


def test_the_newest_is_kept_of_each_step_and_of_each_metric() -> None:
    shedding = pressed(Pressure.ESSENTIALS)
    for number in range(3):
        shedding.admits("progress", progress(number, "load"))
        shedding.admits("progress", progress(number, "train"))
        shedding.admits("metrics", metrics("train", loss=number))
        shedding.admits("metrics", metrics("train", loss=number + 0.5, accuracy=number))
        shedding.admits("metrics", metrics(loss=number))

    assert shedding.take_newest(is_last=True) == [
        ("progress", progress(2, "load")),
        ("progress", progress(2, "train")),
        ("metrics", metrics("train", loss=2.5, accuracy=2)),
        ("metrics", metrics(loss=2)),
    ]
    assert shedding.take_counts() == {Cause.FULL: {"progress": 4, "metrics": 7}}


def test_a_report_stays_while_it_is_the_newest_of_one_of_its_metrics() -> None:
    shedding = pressed(Pressure.ESSENTIALS)
    for report in (metrics(a=1, b=1), metrics(a=2), metrics(a=3)):
        shedding.admits("metrics", report)

    assert shedding.take_newest(is_last=True) == [
        ("metrics", metrics(a=1, b=1)),
        ("metrics", metrics(a=3)),
    ]
    assert shedding.take_counts() == {Cause.FULL: {"metrics": 1}}


def test_a_report_of_nothing_is_the_newest_of_nothing() -> None:
    shedding = pressed(Pressure.ESSENTIALS)
    shedding.admits("metrics", metrics())

    assert shedding.take_newest(is_last=True) == []
    assert shedding.take_counts() == {Cause.FULL: {"metrics": 1}}


def test_the_newest_come_back_while_only_the_quota_presses() -> None:
    shedding = pressed(Pressure.NONE, Pressure.ESSENTIALS)
    shedding.admits("progress", progress(1))
    assert shedding.take_newest() == []

    shedding.press(Pressure.THINNED, Pressure.THINNED)
    assert shedding.take_newest() == []

    shedding.press(Pressure.NO_DEV_EVENTS, Pressure.THINNED)
    assert shedding.take_newest() == [("progress", progress(1))]


def test_an_older_report_never_comes_back_after_a_newer_one() -> None:
    shedding = pressed(Pressure.ESSENTIALS)
    shedding.admits("metrics", metrics(loss=1))
    shedding.admits("metrics", metrics("other", loss=1))
    shedding.press(Pressure.NONE, Pressure.NONE)
    shedding.admits("metrics", metrics(loss=2, accuracy=2))

    assert shedding.take_newest() == [("metrics", metrics("other", loss=1))]
    assert shedding.take_counts() == {Cause.FULL: {"metrics": 1}}


def test_what_is_kept_is_bounded_and_the_oldest_goes_first() -> None:
    newest = Newest()
    bodies = [metrics(f"step {number}", **{"m" * 100_000: number}) for number in range(30)]

    given_up = [kind for each in bodies for kind in newest.keep("metrics", each)]

    assert newest.take() == [("metrics", each) for each in bodies[20:]]
    assert given_up == ["metrics"] * 20


reports = st.one_of(
    st.builds(
        lambda step, current: ("progress", progress(current, step)),
        st.sampled_from(["a", "b", None]),
        st.integers(0, 100),
    ),
    st.builds(
        lambda step, values: ("metrics", metrics(step, **values)),
        st.sampled_from(["a", None]),
        st.dictionaries(st.sampled_from(["x", "y", "z"]), st.integers(0, 9)),
    ),
)


@given(st.lists(st.tuples(st.sampled_from(list(Pressure)), reports), max_size=40))
def test_of_each_step_and_metric_the_newest_is_recorded_and_the_rest_is_counted(
    offered: list[tuple[Pressure, tuple[str, bytes]]],
) -> None:
    shedding, refused = Shedding(), set()
    newest: dict[tuple[str, str | None, str], int] = {}
    for number, (pressure, (kind, encoded)) in enumerate(offered):
        shedding.press(pressure, Pressure.NONE)
        if not shedding.admits(kind, encoded):
            refused.add(number)
        event = orjson.loads(b"{" + encoded)
        for name in event.get("values", [""]):
            newest[kind, event.get("step"), name] = number

    kept = sorted(refused & set(newest.values()))
    assert shedding.take_newest(is_last=True) == [offered[number][1] for number in kept]
    counted = [sum(counts.values()) for counts in shedding.take_counts().values()]
    assert sum(counted) == len(refused) - len(kept)


def test_a_quota_is_a_mean_over_a_minute_and_a_minutes_worth_may_come_at_once() -> None:
    quota = Quota(1_000)
    quota.weigh(60_000, 1e6)
    assert quota.used == 1

    quota.weigh(60_000, 1e6 + 30)
    assert quota.used == 0.5

    for second in range(31, 600):
        quota.weigh(60_000 + 1_000 * (second - 30), 1e6 + second)
    assert quota.used == 0.5

    quota.weigh(quota._written, 2e6)
    assert quota.used == 0


def test_no_quota_is_never_used_up() -> None:
    quota = Quota(0)
    quota.weigh(10**12, 1.0)

    assert quota.used == 0
