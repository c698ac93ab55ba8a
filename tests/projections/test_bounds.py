"""What a view keeps of a job is bounded; what is beyond is counted, told, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from consumers.api import shapes, viewers
from consumers.folding.fold import JobFold
from consumers.views.metric_history import known
from consumers.views.metric_history.fold import MetricHistoryView
from consumers.views.run_state import bounds
from consumers.views.run_state.fold import RunStateView
from synapse_stream.entries.position import BEGINNING
from synapse_stream.ports.views import Quota, SeriesKey
from tests.support.events import ended, event, joined, lost, metrics, progress, resumed, started
from tests.support.folding import Scene, scene

if TYPE_CHECKING:
    from collections.abc import Callable


def action(name: str, **fields: Any) -> dict[str, Any]:
    return event("action", name=name, status="running", **fields)


def quota(told: Scene, of: str) -> Quota:
    return next(one for one in told.attempt.quotas if one.of == of)


def weight(told: Scene) -> int:
    attempts = orjson.loads(told.fold(RunStateView).document())["view"]["attempts"]
    return int(attempts["1"]["weight"])


def test_an_ordinary_run_uses_up_no_quota() -> None:
    told = scene(started(labels={"team": "a"}), *(progress(1, step=f"{n}") for n in range(799)))

    assert told.attempt.quotas == ()
    assert (told.attempt.notes, told.state.notes) == ([], [])


def test_a_quota_is_told_before_it_is_used_up() -> None:
    told = scene(*(progress(1, step=f"{n}") for n in range(800)))

    assert told.attempt.quotas == (Quota("steps", used=800, most=1_000, left_out=0),)
    assert told.attempt.notes == [
        "800 of at most 1,000 steps that are shown; what comes beyond is recorded only"
    ]


def test_actions_beyond_a_thousand_of_a_rank_are_counted() -> None:
    told = scene(*(action(f"{n}") for n in range(1_002)), action("0"), action("1001"))
    told.says(started(1), *(action(f"other {n}") for n in range(5)), by="p1")

    assert len(told.attempt.actions) == 1_005
    assert told.attempt.quotas == (Quota("actions", used=1_000, most=1_000, left_out=3),)
    assert told.attempt.notes == [
        "at most 1,000 actions are shown: reports of further ones are recorded only (3)"
    ]


@pytest.mark.parametrize(
    ("say", "of"),
    [
        (lambda _: [joined(), lost(None)], "lost processes"),
        (lambda number: [resumed(f"old {number}", -1)], "resumed processes"),
    ],
)
def test_processes_beyond_a_hundred_are_counted(
    say: Callable[[int], list[dict[str, Any]]], of: str
) -> None:
    told = scene(started())
    for number in range(102):
        told.says(*say(number), by=f"p{number + 1}")

    assert quota(told, of) == Quota(of, used=100, most=100, left_out=2)


def test_long_errors_of_steps_and_actions_are_cut() -> None:
    told = scene(
        progress(1, step="a", failed=True, error="e" * 3_000), action("b", error="f" * 3_000)
    )

    assert told.attempt.steps[0].error == "e" * 2_000 + "…"
    assert told.attempt.actions[0].error == "f" * 2_000 + "…"


def test_an_attempt_weighs_what_its_parts_and_long_texts_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "MOST_WEIGHT", 20)
    told = scene(started(params={"x": "y" * 1_000}), progress(1), action("a"))

    assert (weight(told), told.attempt.quotas) == (4 + 3 + 1 + 1, ())

    told.says(started(1), progress(2), by="p1").says(started(2), progress(3), by="p2")
    told.says(ended("failed", rank=1, error="bad"), by="p1")

    assert [rank.rank for rank in told.attempt.ranks] == [0, 1, 2]
    assert quota(told, bounds.BYTES) == Quota(bounds.BYTES, 19 * 256, 20 * 256, 0)

    told.says(started(3), progress(9), event("message", content="hi", level="info"), by="p3")
    told.says(progress(5, step="new"), progress(6, step="newer"))

    assert [rank.rank for rank in told.attempt.ranks] == [0, 1, 2]
    assert quota(told, bounds.BYTES).left_out == 4
    assert told.attempt.counts["progress"] == 6
    assert told.attempt.completeness.waiting == ["p0", "p2", "p3"]
    assert (
        "reports or texts of further ranks, steps and actions are recorded only (4)"
        in told.attempt.notes[-1]
    )


def test_rank_0_has_its_part_however_much_an_attempt_weighs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "MOST_WEIGHT", 8)
    told = scene(started(2)).says(started(1), by="p1").says(started(0), ended("failed"), by="p2")

    assert (told.attempt.status, [rank.rank for rank in told.attempt.ranks]) == (
        "failed",
        [0, 1, 2],
    )


def test_texts_for_which_there_is_no_room_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_WEIGHT", 6)
    large = {"x": "y" * 1_000}
    told = scene(
        started(params=large, labels={"team": "a", **large}),
        ended("failed", error="E" * 3_000, result=large),
    )

    run = told.attempt
    assert (run.params, run.labels, run.result) == ({}, {}, {})
    assert (run.status, run.error) == ("failed", "E" * 200 + "…")
    assert quota(told, bounds.BYTES).left_out == 4


def test_what_is_said_again_weighs_no_more() -> None:
    told = scene(started(params={"x": "y" * 1_000}))
    once = weight(told)
    told.says(*[progress(1, failed=True, error="e" * 1_500)] * 50)
    twice = weight(told)
    told.says(*[progress(1, failed=True, error="e" * length) for length in (3, 1_500, 700)] * 50)

    assert (once, twice) == (4 + 3, 4 + 3 + 1 + 5)
    assert weight(told) == twice


def test_of_very_many_attempts_the_newest_are_kept() -> None:
    told = Scene()
    for number in range(130):
        told.says(started(), ended("failed"), by=f"p{number}")

    state = told.state
    assert (state.attempt_count, len(state.attempts), state.latest.number) == (130, 100, 130)
    assert state.attempts[-1].number == 31
    assert state.quotas == (Quota("attempts", used=130, most=100, left_out=30),)
    assert state.notes == ["at most 100 attempts are shown: earlier ones are recorded only (30)"]


def test_what_a_dropped_attempt_reports_later_brings_it_not_back() -> None:
    told = scene(started(), progress(1))
    for number in range(100):
        told.says(started(), ended("failed"), by=f"p{number + 1}")
    before = told.state

    told.says(progress(2), event("message", content="late", level="info"))

    assert told.state.attempts == before.attempts
    assert told.state.attempt_count == 101


def test_a_rank_that_is_far_ahead_of_rank_0_does_not_push_its_attempts_out() -> None:
    told = scene(started(), progress(7))
    for number in range(150):  # another rank is started again and again
        told.says(started(1), by=f"p{number + 1}")

    state = told.state
    assert (state.latest.number, state.latest.overall_percent) == (1, 7)
    assert [one.number for one in state.attempts] == [*range(101, 0, -1)]
    assert state.notes[1:] == [
        "at most 100 attempts that rank 0 has not begun are shown: reports of further ones are "
        "recorded only (49)"
    ]

    told.says(started(), progress(8), by="again")
    assert (told.state.latest.number, told.state.latest.overall_percent) == (2, 8)
    assert [rank.rank for rank in told.state.latest.ranks] == [0, 1]


def test_attempts_that_weigh_much_are_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_WEIGHT", 40)
    told = Scene()
    for number in range(20):
        told.says(started(params={"x": "y" * 1_000}), by=f"p{number}")  # 7 each

    assert [one.number for one in told.state.attempts] == [20, 19, 18, 17, 16]

    told.says(*(progress(1, step=f"{n}") for n in range(10)), by="p15")

    assert [one.number for one in told.state.attempts] == [20, 19, 18, 16]


def test_why_events_were_given_up_is_told() -> None:
    def loss(reason: str, **counts: int) -> dict[str, Any]:
        return event("loss", counts=counts, first=None, last=None, reason=reason)

    told = scene(
        started(),
        loss("full", metrics=3, progress=2),
        loss("too much", metrics=5),
        loss("full", metrics=1),
        event("loss", counts={"unknown": 7}, first=4, last=4, reason="gone"),
        event("loss", counts={"metrics": "many"}, reason=5),
        *(loss(f"reason {number}", metrics=1) for number in range(20)),
    )

    reasons = told.attempt.completeness.reasons
    assert (reasons["full"], reasons["too much"]) == (6, 5)
    assert (len(reasons), reasons["…"]) == (11, 12)


def test_readers_are_told_viewers_too() -> None:
    told = Scene()
    for number in range(102):
        told.says(started(), *(progress(1, step=f"{n}") for n in range(80)), by=f"p{number}")
    told.says(*(progress(1, step=f"{n}") for n in range(800)), by="p101")
    shown = shapes.job(told.state, 0)

    assert shown["quotas"] == [{"of": "attempts", "used": 102, "most": 100, "left_out": 2}]
    assert shown["notes"] == told.state.notes
    assert shown["attempt_count"] == 102
    assert shown["attempts"][0]["quotas"] == [
        {"of": "steps", "used": 800, "most": 1_000, "left_out": 0}
    ]
    assert viewers.job(shown) is shown
    summary = shapes.summary(told.state, 0, None)
    assert summary["notes"] == [*told.attempt.notes, *told.state.notes]


LOSS = SeriesKey(1, 0, None, "loss")


def test_metrics_beyond_the_quota_are_counted_and_those_known_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(known, "MOST_METRICS", 3)
    told = scene(started(), metrics({"loss": 1, "a": 1}), metrics({"loss": 2}, step="eval"))
    told.says(metrics({"b": 1, "loss": 3, "c": 1}), metrics({"b": 2}), metrics({"c": 2}, step="x"))
    told.says(started(1), metrics({"loss": 4, "d": 1}), by="p1")

    assert {key: list(points.values) for key, points in told.points.items()} == {
        LOSS: [1, 3],
        LOSS._replace(name="a"): [1],
        LOSS._replace(step="eval"): [2],
        LOSS._replace(rank=1): [4],
    }
    document = told.fold(MetricHistoryView).document()
    (used_up,) = known.quotas_of(document)
    assert used_up == Quota("metrics", used=3, most=3, left_out=5)
    assert used_up.note == (
        "at most 3 metrics are shown: values of further ones are recorded only (5)"
    )


def test_a_fold_that_goes_on_knows_which_metrics_are_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(known, "MOST_METRICS", 2)
    told = scene(metrics({"a": 1, "b": 1, "c": 1})).says(metrics({"b": 2, "c": 2, "ü" * 512: 2}))
    first, second = told.entries
    fold = JobFold(MetricHistoryView, "job-1", None)
    fold.apply(first)
    fold = JobFold(MetricHistoryView, "job-1", fold.document())
    fold.apply(second)

    assert [key.name for key in fold.rows()] == ["b"]
    assert fold.document() == told.fold(MetricHistoryView).document()
    assert fold.position != BEGINNING


def test_ten_thousand_metrics_take_few_bytes_of_the_document() -> None:
    told = Scene()
    for number in range(10):
        told.says(metrics({f"a metric with a long name {number}/{i}": i for i in range(1_000)}))

    fold = told.fold(MetricHistoryView)

    assert len(fold.rows()) == 10_000
    assert len(fold.document()) < 100_000


@pytest.mark.parametrize("document", [b"", b"{", b"[]", b'{"view":{"events":1}}'])
def test_of_a_document_that_cannot_be_read_no_quota_is_told(document: bytes) -> None:
    assert known.quotas_of(document) == ()


def test_a_metric_without_a_step_is_not_that_of_the_empty_step_of_another() -> None:
    seen = known.KnownMetrics("")
    assert seen.admit(None, ["a", "b"]) == [True, True]
    assert seen.admit("a", ["", "b"]) == [True, True]
    assert seen.admit("", ["a"]) == [True]

    assert len(seen) == 4
    assert len(known.KnownMetrics(seen.news())) == 4
