"""What is shed under pressure, in which order, and that it is counted."""

from __future__ import annotations

import pytest

from synapse_stream.producer.spool.shedding import Pressure, Shedding

NEVER_SHED = ("message", "log", "run_started", "action", "end", "loss", "producer_lost")


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


@pytest.mark.parametrize("kind", NEVER_SHED)
@pytest.mark.parametrize("pressure", list(Pressure))
def test_essentials_are_never_shed(kind: str, pressure: Pressure) -> None:
    shedding = Shedding()
    shedding.pressure = pressure

    assert all(shedding.admits(kind, b"") for _ in range(100))
    assert shedding.take_counts() == {}


def test_dev_events_go_first() -> None:
    shedding = Shedding()
    shedding.pressure = Pressure.NO_DEV_EVENTS

    assert not shedding.admits("dev_event", b"")
    assert shedding.admits("metrics", b"")
    assert shedding.admits("progress", b"")
    assert shedding.take_counts() == {"dev_event": 1}


def test_progress_and_metrics_are_thinned_to_one_in_ten() -> None:
    shedding = Shedding()
    shedding.pressure = Pressure.THINNED

    admitted = [shedding.admits("metrics", b"") for _ in range(100)]

    assert admitted.count(True) == 10
    assert shedding.take_counts() == {"metrics": 90}


def test_of_progress_and_metrics_that_take_turns_both_are_kept() -> None:
    shedding = Shedding()
    shedding.pressure = Pressure.THINNED

    offered = ["metrics", "progress"] * 100
    kept = [kind for kind in offered if shedding.admits(kind, b"")]

    assert kept == ["metrics", "progress"] * 10


def test_the_newest_of_what_was_shed_comes_back_when_there_is_room() -> None:
    shedding = Shedding()
    shedding.pressure = Pressure.ESSENTIALS
    for number in range(3):
        shedding.admits("progress", b"%d" % number)

    assert shedding.take_newest() == {}
    assert shedding.take_counts() == {"progress": 2}  # the third may come back
    assert shedding.take_counts() == {}

    shedding.admits("progress", b"last")
    shedding.pressure = Pressure.NONE
    assert shedding.take_newest() == {"progress": b"last"}
    assert shedding.take_counts() == {"progress": 1}
    assert shedding.is_idle


def test_the_newest_of_what_was_shed_is_recorded_at_the_end_even_under_pressure() -> None:
    shedding = Shedding()
    shedding.pressure = Pressure.ESSENTIALS
    for number in range(3):
        shedding.admits("metrics", b"%d" % number)

    assert shedding.take_newest(is_last=True) == {"metrics": b"2"}
    assert shedding.take_counts() == {"metrics": 2}


def test_an_older_report_never_comes_back_after_a_newer_one() -> None:
    shedding = Shedding()
    shedding.pressure = Pressure.ESSENTIALS
    shedding.admits("progress", b"older")
    shedding.pressure = Pressure.NONE
    shedding.admits("progress", b"newer")

    assert shedding.take_newest() == {}
    assert shedding.take_counts() == {"progress": 1}
