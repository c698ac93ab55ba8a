"""Status, processes, actions and counts of a run, and how far it is."""

from __future__ import annotations

import pytest

from consumers.views.run_state.fold import RunStateView
from synapse_stream.entries.position import Position
from synapse_stream.models import ActionStatus, RunStatus
from tests.support.events import SECOND, START, ended, event, lost, message, metrics, started
from tests.support.folding import Scene, scene

NESTED: list[object] = []
for _ in range(249):  # as deep as orjson reads but, with what stands around it, does not write
    NESTED = [NESTED]


def test_a_job_without_events_has_no_state() -> None:
    with pytest.raises(AssertionError):
        _ = Scene().state


def test_a_run_is_running_from_its_first_event_of_rank_0() -> None:
    assert scene(started(1)).attempt.status is RunStatus.PENDING
    assert scene(started(1)).says(started(0), by="p1").attempt.status is RunStatus.RUNNING
    assert scene(message("a producer that never says started")).attempt.status is RunStatus.RUNNING


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_run_ends_as_rank_0_says_with_error_and_result(status: str) -> None:
    told = scene(
        started(at=0), ended(status, error="why", result={"loss": {"$float": "NaN"}}, at=90)
    )

    assert told.attempt.status == status
    assert told.attempt.error == "why"
    assert str(told.attempt.result) == "{'loss': nan}"
    assert told.attempt.ended == START + 90 * SECOND
    assert told.attempt.duration_seconds == 90


def test_a_final_status_stays() -> None:
    told = (
        scene(started(), ended("completed"))
        .says(lost(), by="p1")
        .says(ended("failed", error="late"), by="p2")
    )

    assert told.attempt.status is RunStatus.COMPLETED
    assert told.attempt.error is None


def test_other_ranks_end_for_themselves() -> None:
    told = scene(started()).says(started(1), ended("failed", rank=1, error="no memory"), by="p1")

    assert told.attempt.status is RunStatus.RUNNING
    assert [(rank.rank, rank.status, rank.error) for rank in told.attempt.ranks] == [
        (0, "running", None),
        (1, "failed", "no memory"),
    ]


def test_a_process_that_leaves_without_a_status_ends_nothing() -> None:
    told = scene(started(), ended(None, rank=0, at=5)).says(
        message("hi"), ended(None, rank=None), by="child"
    )

    assert told.attempt.status is RunStatus.RUNNING
    assert told.attempt.ranks[0].status is RunStatus.RUNNING
    assert told.attempt.ranks[0].ended == START + 5 * SECOND


def test_the_loss_of_rank_0_is_the_failure_of_the_run() -> None:
    told = scene(started(), lost(at=7))

    assert told.attempt.status is RunStatus.FAILED
    assert told.attempt.error == "the process ended without ending its run"
    assert told.attempt.ended == START + 7 * SECOND
    assert told.attempt.ranks[0].is_lost


def test_the_loss_of_another_rank_is_shown_beside_the_run() -> None:
    told = (
        scene(started()).says(started(1), lost(1, at=3), by="p1").says(lost(None, at=4), by="child")
    )

    assert told.attempt.status is RunStatus.RUNNING
    assert [(gone.rank, gone.pid, gone.time) for gone in told.attempt.lost] == [
        (1, 4711, START + 3 * SECOND),
        (None, 4711, START + 4 * SECOND),
    ]
    assert [(rank.status, rank.is_lost) for rank in told.attempt.ranks] == [
        ("running", False),
        ("failed", True),
    ]


def test_a_late_loss_of_an_old_attempt_does_not_touch_the_new_one() -> None:
    told = scene(started()).says(started(), by="p1").says(lost(), by="p0")

    assert [attempt.status for attempt in told.state.attempts] == ["running", "failed"]


def test_what_a_run_was_started_with_is_shown() -> None:
    params = {"epochs": 50, "seed": {"$int": "9007199254740993"}, "token": "***"}
    told = scene(started(params=params, labels={"team": "vision"}, plugin="digits")).says(
        event("run_started", rank=1, host="node-2", pid=1, action="other"), by="p1"
    )

    assert told.attempt.params == {"epochs": 50, "seed": 9007199254740993, "token": "***"}
    assert (told.attempt.action, told.attempt.plugin) == ("train", "digits")
    assert told.attempt.labels == {"team": "vision"}
    assert told.attempt.ranks[0].python == "3.13.0"
    assert told.attempt.ranks[0].sdk == {"synapse-stream": "0.1.0"}
    assert [(rank.host, rank.pid) for rank in told.attempt.ranks] == [
        ("node-1", 4711),
        ("node-2", 1),
    ]


def test_events_are_counted_by_type_and_messages_by_level() -> None:
    told = scene(started(), message("a"), message("b", "danger"), message("c"), event("heartbeat"))

    assert told.attempt.counts == {"run_started": 1, "message": 3, "heartbeat": 1}
    assert told.attempt.levels == {"info": 2, "danger": 1}
    assert told.attempt.events == 5


def test_more_actions_than_a_thousand_are_counted_only() -> None:
    named = (event("action", name=f"action-{n}", status="running") for n in range(1002))
    told = scene(*named, event("action", name="action-0", status="completed"))

    assert len(told.attempt.actions) == 1000
    assert told.attempt.actions[0].status is ActionStatus.COMPLETED
    assert told.attempt.counts == {"action": 1003}


def test_of_lost_processes_a_hundred_are_listed() -> None:
    told = Scene()
    for n in range(102):
        told.says(lost(None), by=f"child-{n}")

    assert len(told.attempt.lost) == 100
    assert told.attempt.counts == {"producer_lost": 102}


def test_a_type_that_is_not_known_is_counted() -> None:
    assert scene(event("eval_finished", score=1)).attempt.counts == {"eval_finished": 1}


def test_more_kinds_than_a_hundred_are_counted_as_one() -> None:
    told = scene(*(event(f"kind-{n}") for n in range(130)))

    assert len(told.attempt.counts) == 101
    assert told.attempt.counts["…"] == 30
    assert told.attempt.events == 130


def test_times_and_position_are_those_of_the_events() -> None:
    told = scene(started(at=10), metrics({"loss": 1}, at=30)).says(started(1, at=5), by="p1")

    assert told.attempt.started == START + 10 * SECOND
    assert (told.attempt.first_time, told.attempt.last_time) == (
        START + 5 * SECOND,
        START + 30 * SECOND,
    )
    assert told.state.position == Position(1001, 0, 0)


def test_actions_are_listed_in_the_order_in_which_they_were_named() -> None:
    told = scene(
        *(
            event("action", name=name, status="pending", error=None, at=0)
            for name in ("prepare", "train", "export")
        ),
        event("action", name="prepare", status="running", error=None, at=1),
        event("action", name="prepare", status="completed", error=None, at=3),
        event("action", name="train", status="running", error=None, at=3),
        event("action", name="train", status="failed", error="ValueError: no data", at=9),
        event("action", name="export", status="skipped", error=None, at=9),
    )

    second = START // SECOND
    assert [
        (
            action.name,
            action.status,
            action.started and action.started // SECOND - second,
            action.error,
        )
        for action in told.attempt.actions
    ] == [
        ("prepare", ActionStatus.COMPLETED, 1, None),
        ("train", ActionStatus.FAILED, 3, "ValueError: no data"),
        ("export", ActionStatus.SKIPPED, None, None),
    ]
    assert told.attempt.actions[1].ended == START + 9 * SECOND


def test_an_action_that_begins_again_has_its_new_start() -> None:
    told = scene(
        event("action", name="train", status="running", at=1),
        event("action", name="train", status="failed", at=2),
        event("action", name="train", status="running", at=3),
    )

    assert told.attempt.actions[0].started == START + 3 * SECOND
    assert told.attempt.actions[0].ended is None


def test_an_action_of_several_ranks_is_shown_as_the_lowest_has_it() -> None:
    told = scene(started(1), event("action", name="train", status="failed")).says(
        started(0), event("action", name="train", status="running"), by="p1"
    )

    assert [action.status for action in told.attempt.actions] == ["running"]
    assert [[action.status for action in rank.actions] for rank in told.attempt.ranks] == [
        ["running"],
        ["failed"],
    ]


@pytest.mark.parametrize(
    "bad",
    [
        ended("running"),
        ended("completed") | {"rank": "0"},
        event("action", name="train", status="finished"),
        event("action", name=7, status="running"),
        event("message", content="x", level="loud"),
        event("producer_lost", rank=-1),
        event("end", status="completed") | {"v": 2},
        {"type": "heartbeat", "time": "today"},
        {"type": "heartbeat", "time": 10**18},
        {"type": "heartbeat", "time": True},
        {"type": ["heartbeat"]},
        {"type": "x" * 513},
        {"type": "nul\0"},
    ],
)
def test_an_event_that_is_not_what_its_type_promises_is_parked_and_leaves_no_trace(
    bad: dict[str, object],
) -> None:
    told = scene(started(at=0), bad, message("after", at=1))

    fold = told.fold(RunStateView)

    assert [parked.position for parked in told.parked] == [Position(1000, 0, 1)]
    assert told.parked[0].number == 1
    clean = scene(started(at=0), event("heartbeat", at=0), message("after", at=1))
    assert told.attempt.counts == {"run_started": 1, "message": 1}
    assert told.attempt.ranks == clean.attempt.ranks
    assert fold.has_changed


@pytest.mark.parametrize(
    "bad", [{"host": ["node-1"]}, {"labels": "team"}, {"pid": -1}, {"sdk": 1}, {"params": NESTED}]
)
def test_a_start_that_is_not_what_it_promises_is_parked_but_begins_its_attempt(
    bad: dict[str, object],
) -> None:
    told = scene(started()).says(event("run_started", rank=0, **bad), message("hi"), by="p1")

    assert [(attempt.number, attempt.counts) for attempt in told.state.attempts] == [
        (2, {"message": 1}),
        (1, {"run_started": 1}),
    ]
    assert len(told.parked) == 1


def test_a_reason_names_the_field_its_value_and_what_is_allowed() -> None:
    told = scene(ended("running"))

    told.fold(RunStateView)

    assert (
        told.parked[0].reason
        == "status='running' is not allowed; expected one of completed, failed, cancelled"
    )
