"""What is fresh, who it belongs to, and what is missing."""

from __future__ import annotations

import pytest

from consumers.folding.fold import JobFold
from consumers.folding.ledger import Ledger
from consumers.views.run_state.fold import RunStateView
from synapse_stream.entries.batch import GENESIS, Batch, decode_events
from synapse_stream.ports.views import CompletenessStatus
from tests.support.events import ended, event, message, progress, resumed, started
from tests.support.folding import Scene, loss_of_range, scene


def test_a_batch_that_comes_again_under_another_id_changes_nothing() -> None:
    once = scene(started(), progress(1)).fold(RunStateView).document()

    assert scene(started(), progress(1)).repeats(0).fold(RunStateView).document() == once


def test_of_a_batch_that_overlaps_what_is_known_only_the_new_events_count() -> None:
    told = scene(message("a"), message("b"))
    again = scene(message("a"), message("b"), message("c"))

    assert [row.content for row in told.appends(again.batch(0)).rows] == ["a", "b", "c"]
    assert told.rows[2].line == 2


def test_a_fold_that_was_not_told_anything_new_has_not_changed() -> None:
    told = scene(progress(1))
    fold = told.fold(RunStateView)
    fold.rows()

    fold.apply(told.repeats(0).entries[1])

    assert not fold.has_changed


def test_a_gap_in_the_numbers_is_missing_for_good() -> None:
    line = b'{"seq":7,"time":1,"type":"heartbeat","v":1}\n'
    told = scene(started(), progress(1)).appends(Batch("job-1", "p0", 7, 7, GENESIS, line))

    assert told.attempt.completeness.status is CompletenessStatus.INCOMPLETE
    assert told.attempt.completeness.missing == {"p0": [(2, 6)]}
    assert told.attempt.completeness.missing_count == 5


def test_a_loss_event_stands_for_its_whole_range() -> None:
    told = scene(started(), progress(1)).appends(loss_of_range(2, 9))

    assert told.attempt.completeness.missing == {"p0": [(2, 9)]}
    assert told.attempt.counts == {"run_started": 1, "progress": 1, "loss": 1}


def test_of_a_lost_range_what_had_been_folded_before_is_not_missing() -> None:
    told = scene(started(), progress(1), progress(2)).appends(loss_of_range(1, 9))

    assert told.attempt.completeness.missing == {"p0": [(3, 9)]}


def test_a_lost_range_that_comes_again_is_counted_once() -> None:
    told = scene(started()).appends(loss_of_range(1, 9))
    told.appends(loss_of_range(1, 9))

    assert told.attempt.counts["loss"] == 1
    assert told.attempt.completeness.missing == {"p0": [(1, 9)]}


def test_an_unreadable_line_of_a_spool_is_missing_by_its_own_number() -> None:
    unreadable = event("loss", counts={"unknown": 1}, first=1, last=1, reason="unreadable")

    told = scene(started(), unreadable, ended(count=3))

    assert told.attempt.completeness.missing == {"p0": [(1, 1)]}


def test_of_very_many_gaps_the_first_are_listed_and_all_are_counted() -> None:
    told = Scene()
    for number in range(0, 3_000, 2):
        told.appends(Batch("job-1", "p0", number, number, GENESIS, b'{"type":"x","time":1}'))
    told.says(resumed("p0", 2_500), by="heir")
    found = told.attempt.completeness

    assert found.missing == {"p0": [(number, number) for number in range(1, 2_000, 2)]}
    assert found.missing_count == 1_499

    told.says(resumed("p0", 100), by="other heir")
    assert told.attempt.completeness.missing_count == 50


def test_shed_events_of_very_many_types_are_all_counted() -> None:
    told = scene(
        started(),
        *(event("loss", counts={f"type {n}": 1}, first=None, last=None) for n in range(150)),
        event("loss", counts={"t" * 5_000: 2}, first=None, last=None),
    )

    shed = told.attempt.completeness.shed
    assert (len(shed), sum(shed.values()), shed["…"]) == (101, 152, 52)
    assert max(map(len, shed)) <= 100


def test_lines_that_a_batch_lacks_are_missing() -> None:
    told = scene().sends(b'{"seq":0,"time":1,"type":"heartbeat","v":1}\n', count=3)

    assert told.attempt.completeness.missing == {"p0": [(1, 2)]}


def test_events_that_were_shed_are_counted_by_type_over_all_producers() -> None:
    shed = event(
        "loss", counts={"metrics": 3, "dev_event": 1}, first=None, last=None, reason="full"
    )
    told = scene(started(), shed, ended(count=3)).says(started(1), shed, ended(rank=1), by="p1")

    assert told.attempt.completeness.status is CompletenessStatus.SHED
    assert told.attempt.completeness.shed == {"metrics": 6, "dev_event": 2}


def test_a_run_is_complete_when_every_producer_has_ended_and_all_events_are_there() -> None:
    told = scene(started(), ended(count=2)).says(started(1), by="p1")
    before = told.attempt.completeness

    told.says(ended(rank=1, count=2), by="p1")

    assert before.status is CompletenessStatus.OPEN
    assert told.attempt.completeness.status is CompletenessStatus.COMPLETE


def test_a_producer_that_counts_more_events_than_came_is_incomplete() -> None:
    told = scene(started(), ended(count=5))

    assert told.attempt.completeness.missing == {"p0": [(2, 4)]}


@pytest.mark.parametrize("counts", [None, 7, {"metrics": "many"}, {"metrics": -1}, {"metrics": 0}])
def test_counts_that_are_none_are_not_shed(counts: object) -> None:
    told = scene(started(), event("loss", counts=counts, first=None, last=None))

    assert told.attempt.completeness.shed == {}
    assert told.attempt.completeness.status is CompletenessStatus.OPEN


def test_a_ledger_alone_admits_nothing_twice() -> None:
    told = scene(started(), progress(1)).says(progress(2))
    batches = [told.batch(0), told.batch(1), told.batch(0)]
    ledger = Ledger(None)

    found = [
        ledger.admit(number, 0, batch, decode_events(batch.data))
        for number, batch in enumerate(batches)
    ]

    assert [[delivery.number for delivery in each] for each in found] == [[0], [2], []]
    assert ledger.last("p0") == 2


def test_every_start_of_a_rank_is_its_next_attempt() -> None:
    told = scene(started(), ended("failed")).says(started(), by="p1")

    assert [attempt.number for attempt in told.state.attempts] == [2, 1]
    assert [attempt.status for attempt in told.state.attempts] == ["running", "failed"]


def test_a_run_may_name_its_attempt_and_the_next_one_follows_it() -> None:
    told = scene(event("run_started", rank=0, attempt=5)).says(started(), by="p1")

    assert [attempt.number for attempt in told.state.attempts] == [6, 5]


def test_a_late_event_belongs_to_the_attempt_of_its_producer() -> None:
    told = scene(started(), progress(1)).says(started(), by="p1").says(progress(2))

    newest, oldest = told.state.attempts
    assert (newest.counts.get("progress"), oldest.counts["progress"]) == (None, 2)


def test_a_forked_child_belongs_to_the_attempt_that_rank_0_is_in() -> None:
    told = scene(started()).says(started(), by="p1").says(message("hi"), by="child")

    assert [row.attempt for row in told.rows] == [2]
    assert [row.rank for row in told.rows] == [0]


def test_ranks_that_start_in_any_order_are_in_the_same_attempt() -> None:
    told = scene(started(1)).says(started(0), by="p1").says(started(1), by="p2")

    assert told.state.latest.number == 1
    assert told.state.attempts[0].number == 2
    assert told.state.attempts[0].status == "pending"
    assert [rank.rank for rank in told.state.latest.ranks] == [0, 1]


def test_a_start_in_the_middle_of_a_batch_counts_from_there_on() -> None:
    told = scene(started(), ended("failed")).says(
        message("before"), started(), message("after"), by="p1"
    )

    assert [(row.content, row.attempt, row.line) for row in told.rows] == [
        ("before", 1, 0),
        ("after", 2, 2),
    ]


@pytest.mark.parametrize(
    "bad", [{"rank": -1}, {"rank": "0"}, {"attempt": 0}, {"attempt": 10**12}, {"attempt": True}]
)
def test_a_start_with_an_impossible_rank_or_attempt_does_not_count_it(
    bad: dict[str, object],
) -> None:
    told = scene(event("run_started", **bad)).says(message("hi"))

    assert [(row.rank, row.attempt) for row in told.rows] == [(0, 1)]


def test_numbers_that_no_producer_can_reach_are_parked_as_a_whole() -> None:
    told = scene().appends(Batch("job-1", "p0", 2**60, 2**60, GENESIS, b"{}\n"))

    fold = told.fold(RunStateView)

    assert [parked.reason for parked in told.parked] == [
        f"numbers {2**60} to {2**60} of producer 'p0'"
    ]
    assert not fold.has_changed


def test_the_document_of_a_fold_is_all_it_needs_to_go_on() -> None:
    told = scene(started(), progress(1)).says(progress(2)).says(ended(count=4))
    whole = told.fold(RunStateView).document()
    fold = JobFold(RunStateView, "job-1", None)

    for entry in told.entries:
        fold = JobFold(RunStateView, "job-1", fold.document())
        fold.apply(entry)

    assert fold.document() == whole
