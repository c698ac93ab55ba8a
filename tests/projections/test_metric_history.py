"""Every point of every metric, by series."""

from __future__ import annotations

from math import inf, isnan, nan
from typing import TYPE_CHECKING, Any

import pytest

from consumers.views.metric_history.fold import MetricHistoryView
from synapse_stream.entries.position import Position
from synapse_stream.ports.views import SeriesKey
from tests.support.events import SECOND, START, event, metrics, progress, started
from tests.support.folding import Scene, scene

if TYPE_CHECKING:
    from consumers.views.metric_history.rows import Points

LOSS = SeriesKey(1, 0, None, "loss")


def values(told: Scene, key: SeriesKey = LOSS) -> list[float]:
    return list(told.points[key].values)


def test_every_value_is_a_point_with_its_own_time_and_position() -> None:
    told = scene(metrics({"loss": 0.5}, at=1), metrics({"loss": 0.25}, at=2)).says(
        metrics({"loss": 0.125}, at=3)
    )

    points = told.points[LOSS]

    assert list(points.values) == [0.5, 0.25, 0.125]
    assert [(time - START) // SECOND for time in points.times] == [1, 2, 3]
    assert list(map(Position, points.ms, points.seq, points.index)) == [
        (1000, 0, 0),
        (1000, 0, 1),
        (1001, 0, 0),
    ]


def test_a_series_is_told_apart_by_attempt_rank_step_and_name() -> None:
    told = scene(started(), metrics({"loss": 1, "acc": 2}, step="train"), metrics({"loss": 3}))
    told.says(started(3), metrics({"loss": 4}), by="p1").says(
        started(0), metrics({"loss": 5}), by="p2"
    )

    assert {key: list(points.values) for key, points in told.points.items()} == {
        SeriesKey(1, 0, "train", "loss"): [1],
        SeriesKey(1, 0, "train", "acc"): [2],
        LOSS: [3],
        SeriesKey(1, 3, None, "loss"): [4],
        SeriesKey(2, 0, None, "loss"): [5],
    }


def test_an_empty_step_is_no_step() -> None:
    assert list(scene(metrics({"loss": 1}, step="")).points) == [LOSS]


def test_numbers_that_are_not_finite_are_kept() -> None:
    found = values(
        scene(
            metrics({"loss": "NaN"}), metrics({"loss": "-Infinity"}), metrics({"loss": "Infinity"})
        )
    )

    assert isnan(found[0])
    assert found[1:] == [-inf, inf]


def test_integers_and_truths_are_numbers() -> None:
    assert values(
        scene(metrics({"loss": 3}), metrics({"loss": True}), metrics({"loss": 2**60}))
    ) == [3, 1, 2.0**60]


def test_x_may_come_in_any_order_and_be_left_out() -> None:
    told = scene(metrics({"loss": 1}), metrics({"loss": 2}, x=9)).says(
        metrics({"loss": 3}, x=2.5), metrics({"loss": 4}, x="-Infinity")
    )

    xs = told.points[LOSS].xs

    assert xs is not None
    assert isnan(xs[0])
    assert list(xs[1:]) == [9, 2.5, -inf]
    assert scene(metrics({"loss": 1})).points[LOSS].xs is None


def test_metrics_between_other_events_keep_their_places() -> None:
    told = scene(started(), metrics({"loss": 1}), progress(1), metrics({"loss": 2}))

    assert list(told.points[LOSS].index) == [1, 3]


def test_metrics_of_a_batch_whose_beginning_was_known_keep_their_places() -> None:
    told = scene(metrics({"loss": 1}))
    told.appends(scene(metrics({"loss": 1}), metrics({"loss": 2}), metrics({"loss": 3})).batch(0))

    assert values(told) == [1, 2, 3]
    assert list(told.points[LOSS].index) == [0, 1, 2]


def test_metrics_reported_one_by_one_in_turns_are_one_series_each() -> None:
    told = scene(*(metrics({name: n}) for n in range(3) for name in ("loss", "acc")))

    assert values(told) == [0, 1, 2]
    assert list(told.points[LOSS].index) == [0, 2, 4]
    assert values(told, LOSS._replace(name="acc")) == [0, 1, 2]


def test_a_series_in_batches_of_several_shapes_stays_in_order() -> None:
    told = scene(metrics({"loss": 1, "acc": 10}), metrics({"loss": 2, "acc": 20}))
    told.says(metrics({"loss": 3}, x=7)).says(metrics({"loss": 4, "acc": 40}))
    told.says(metrics({"acc": 50, "loss": 5})).says(metrics({"loss": 6}, step="other"))

    found = {(key.step, key.name): points for key, points in told.points.items()}

    assert {key: list(points.values) for key, points in found.items()} == {
        (None, "loss"): [1, 2, 3, 4, 5],
        (None, "acc"): [10, 20, 40, 50],
        ("other", "loss"): [6],
    }
    assert list(found[None, "loss"].ms) == [1000, 1000, 1001, 1002, 1003]
    assert list(found[None, "acc"].ms) == [1000, 1000, 1002, 1003]
    assert [x == 7 for x in found[None, "loss"].xs or ()] == [False, False, True, False, False]


def test_a_series_in_events_of_several_shapes_stays_in_order() -> None:
    told = scene(
        metrics({"loss": 1}),
        metrics({"loss": 2, "acc": 0}),
        metrics({"loss": 3}),
        metrics({"acc": 1, "loss": 4}),
    )

    assert values(told) == [1, 2, 3, 4]


def test_metrics_without_a_value_are_no_points() -> None:
    assert scene(metrics({})).points == {}


def test_points_that_were_taken_are_not_given_again_and_later_ones_have_a_higher_number() -> None:
    told = scene(metrics({"loss": 1}), metrics({"acc": 1})).says(metrics({"loss": 2}))
    fold = Scene().fold(MetricHistoryView)

    fold.apply(told.entries[0])
    first: Points = fold.rows()[LOSS]
    fold.apply(told.entries[1])
    second: Points = fold.rows()[LOSS]

    assert (list(first.values), list(second.values)) == ([1], [2])
    assert first.number + len(first) <= second.number
    assert fold.rows() == {}


@pytest.mark.parametrize(
    "bad",
    [
        metrics({"loss": 1, "acc": None}),
        metrics({"loss": 1, "acc": "high"}),
        metrics({"loss": 1, "acc": [1]}),
        metrics({"loss": 1}, x="left"),
        metrics({"loss": 1}, x=[]),
        metrics({"loss": 1}, step=5),
        metrics({"loss": 1}, step=["a"]),
        metrics({"loss": 1}, step="s" * 513),
        metrics({"loss": 1, "n" * 513: 1}),
        metrics({"loss": 1, "nul\0": 1}),
        metrics({"loss": 1}, time=2**53),
        metrics({"loss": 1}, time=True),
        metrics({"loss": 1}, time=None),
        metrics({"loss": 1}, v=2),
        event("metrics"),
        event("metrics", values=[1]),
        event("metrics", values=7),
    ],
)
def test_metrics_at_fault_are_parked_and_all_others_kept(bad: dict[str, Any]) -> None:
    told = scene(metrics({"loss": 0}), bad, metrics({"loss": 2}), bad, bad, metrics({"loss": 5}))

    assert values(told) == [0, 2, 5]
    assert list(told.points) == [LOSS]
    told.fold(MetricHistoryView)
    assert [parked.position.index for parked in told.parked] == [1, 3, 4]


@pytest.mark.parametrize("step", [[], [None], ["a"], {}, {"a": 1}, 0, 7, True])
def test_a_step_that_is_no_text_is_parked_even_if_all_events_have_it(step: Any) -> None:
    told = scene(metrics({"loss": 1}, step=step), metrics({"loss": 2}, step=step))

    assert told.points == {}
    told.fold(MetricHistoryView)
    assert len(told.parked) == 2


def test_what_is_no_metric_is_no_concern_of_the_metric_history() -> None:
    told = scene({"type": "message", "time": None}, {"type": []}, {})

    told.fold(MetricHistoryView)

    assert told.parked == []


def test_points_with_and_without_x_can_be_joined() -> None:
    without, with_x = scene(metrics({"a": 1})).points, scene(metrics({"a": 2}, x=7)).points
    joined = without[LOSS._replace(name="a")]

    joined.extend(with_x[LOSS._replace(name="a")])
    joined.extend(scene(metrics({"a": 3})).points[LOSS._replace(name="a")])

    assert joined.xs is not None
    assert repr(list(joined.xs)) == repr([nan, 7.0, nan])
