"""Child processes, processes that go on under another name, and processes that are asked to end."""

from __future__ import annotations

from typing import Any

import pytest

from synapse_stream.models import RunStatus
from synapse_stream.ports.views import CompletenessStatus, Health
from tests.support.events import asked, child, ended, event, joined, lost, message, resumed, started
from tests.support.folding import scene


class TestChildren:
    def test_a_child_belongs_to_the_attempt_of_its_parent_not_to_the_latest(self) -> None:
        told = scene(started()).says(started(), by="p1").says(joined("p0"), message("a"), by="c")

        assert [(row.content, row.attempt, row.rank) for row in told.rows] == [("a", 1, 0)]

    def test_a_child_of_a_child_belongs_there_too(self) -> None:
        told = scene(started()).says(started(), by="p1").says(joined("p0"), by="c")
        told.says(joined("c"), message("a"), by="grandchild")

        assert [row.attempt for row in told.rows] == [1]

    def test_a_child_that_comes_before_its_parent_follows_it_once_that_is_there(self) -> None:
        told = scene(started()).says(joined("p1"), by="child").says(joined("child"), by="inner")
        told.says(started(), by="p1").says(message("a"), by="child").says(message("b"), by="inner")

        assert [(row.content, row.attempt) for row in told.rows] == [("a", 2), ("b", 2)]
        assert [a.completeness.waiting for a in told.state.attempts] == [
            ["child", "inner", "p1"],
            ["p0"],
        ]

    @pytest.mark.parametrize("parent", [None, 7, "nobody", "child", ["p0"], "x" * 300])
    def test_a_child_without_a_parent_that_is_known_is_in_the_latest_attempt(
        self, parent: Any
    ) -> None:
        told = (
            scene(started()).says(started(), by="p1").says(joined(parent), message("a"), by="child")
        )

        assert [row.attempt for row in told.rows] == [2]

    def test_who_says_it_later_than_first_stays_where_it_is(self) -> None:
        told = scene(started()).says(started(), by="p1").says(joined("p0"), message("a"), by="p1")

        assert [row.attempt for row in told.rows] == [2]

    def test_a_run_waits_for_the_children_that_it_says_it_had(self) -> None:
        told = scene(started(), ended(children=[child("c1"), child("c2")], child_count=2))
        nobody = told.attempt.completeness
        told.says(joined(), message("a"), ended(None, None), by="c1")
        one = told.attempt.completeness
        told.says(joined(), lost(None), by="c2")

        assert (nobody.status, nobody.waiting, nobody.waiting_count) == ("open", ["c1", "c2"], 2)
        assert (one.status, one.waiting) == ("open", ["c2"])
        assert told.attempt.completeness.status is CompletenessStatus.COMPLETE
        assert told.attempt.completeness.waiting == []

    def test_it_waits_for_children_of_which_it_knows_the_number_only(self) -> None:
        told = scene(started(), ended(children=[child("c1")], child_count=3))
        told.says(joined(), ended(None, None), by="c1").says(joined(), ended(None, None), by="c2")
        two = told.attempt.completeness
        told.says(joined(), ended(None, None), by="c3")

        assert (two.status, two.waiting, two.waiting_count) == ("open", [], 1)
        assert told.attempt.completeness.status is CompletenessStatus.COMPLETE

    def test_it_waits_for_a_child_that_said_it_was_of_another(self) -> None:
        told = scene(started(), ended(children=[child("c")])).says(started(), by="p1")
        told.says(joined("p1"), by="c")

        assert told.state.attempts[1].completeness.waiting == ["c"]

    def test_the_death_of_a_parent_names_its_children_as_well(self) -> None:
        told = scene(started(), lost(children=[child("c")], child_count=1))

        assert told.attempt.completeness.waiting == ["c"]

    def test_of_those_that_are_waited_for_a_hundred_are_named(self) -> None:
        told = scene(started(), ended(children=[child(f"c{n}") for n in range(300)]))

        assert len(told.attempt.completeness.waiting) == 100
        assert told.attempt.completeness.waiting_count == 300

    @pytest.mark.parametrize("children", [None, 7, "c1", [7, None, {}, {"producer": 7}], {"c1": 1}])
    def test_children_that_are_none_are_not_waited_for(self, children: Any) -> None:
        told = scene(started(), ended(children=children, child_count="many"))

        assert told.attempt.completeness.status is CompletenessStatus.COMPLETE

    def test_a_signal_to_a_child_is_none_to_the_run(self) -> None:
        told = scene(started()).says(joined(), asked(), by="c")

        assert told.attempt.status is RunStatus.RUNNING
        assert not told.attempt.is_ending


class TestGoingOnUnderAnotherName:
    def test_the_death_of_one_who_lives_is_withdrawn(self) -> None:
        told = scene(started(), message("a")).says(lost())
        dead = told.attempt
        told.says(resumed("p0", 1), message("b"), by="p1")
        alive = told.attempt
        told.says(ended(), by="p1")

        assert (dead.status, [one.producer for one in dead.lost]) == ("failed", ["p0"])
        assert (alive.status, alive.error, alive.ended, alive.lost) == ("running", None, None, [])
        assert not alive.ranks[0].is_lost
        assert [(one.producer, one.last, one.heir, one.rank) for one in alive.resumed] == [
            ("p0", 1, "p1", 0)
        ]
        assert "the record was interfered with" in alive.notes[0]
        assert told.attempt.status is RunStatus.COMPLETED
        assert told.attempt.completeness.status is CompletenessStatus.COMPLETE
        assert len(told.state.attempts) == 1

    def test_it_has_rank_and_attempt_of_the_old_name(self) -> None:
        told = scene(started(1)).says(started(0), by="p1").says(started(0), by="p2")
        told.says(resumed("p0", 0, rank=1), message("a"), by="p3")

        assert [(row.rank, row.attempt) for row in told.rows] == [(1, 1)]

    def test_of_the_old_name_nothing_is_missing_behind_what_is_its_own(self) -> None:
        line = b'{"seq":9,"time":1,"type":"heartbeat","v":1}\n'
        told = scene(started(), message("a"))
        chain = told.batch(0)
        told.appends(type(chain)("job-1", "p0", 9, 9, chain.hash, line))
        told.says(resumed("p0", 1), ended(), by="p1")

        assert told.attempt.completeness.status is CompletenessStatus.COMPLETE

    def test_what_is_its_own_and_not_there_is_missing(self) -> None:
        told = scene(started()).says(resumed("p0", 3), ended(), by="p1")

        assert told.attempt.completeness.missing == {"p0": [(1, 3)]}

    def test_what_it_sends_again_begins_no_attempt(self) -> None:
        told = scene(started()).says(resumed("p0", -1), started(), message("a"), by="p1")

        assert [attempt.number for attempt in told.state.attempts] == [1]
        assert [row.attempt for row in told.rows] == [1]

    def test_a_child_that_goes_on_stays_a_child(self) -> None:
        told = scene(started()).says(joined(), by="c").says(lost(None), by="c")
        told.says(resumed("c", 0, rank=None), asked(), ended(None, None), by="d")

        assert told.attempt.status is RunStatus.RUNNING
        assert told.attempt.lost == []

    def test_its_children_know_it_by_either_name(self) -> None:
        told = scene(started()).says(joined("p0"), ended(None, None), by="c")
        told.says(resumed("p0", 0), ended(child_count=1), by="p1")

        assert told.attempt.completeness.status is CompletenessStatus.COMPLETE

    def test_two_that_go_on_for_each_other_end_nothing(self) -> None:
        told = scene(resumed("p1", 2)).says(resumed("p0", 2), ended(child_count=1), by="p1")

        assert told.attempt.completeness.missing == {"p0": [(1, 2)], "p1": [(2, 2)]}

    @pytest.mark.parametrize(
        "bad", [{"last": "1"}, {"last": -2}, {"producer": None}, {"last": True}, {"last": -1.0}]
    )
    def test_what_it_should_be_is_needed(self, bad: dict[str, Any]) -> None:
        told = scene(started()).says({**resumed("p0", 0), **bad}, message("a"), by="p1")

        assert told.attempt.resumed == []
        assert len(told.parked) == 1


class TestBeingAskedToEnd:
    def test_a_signal_ends_the_run_until_it_reports_again(self) -> None:
        told = scene(started(), asked())
        ending = told.attempt
        told.says(event("heartbeat"))
        still = told.attempt
        told.says(message("going on"))

        assert (ending.status, ending.error) == ("cancelled", "terminated by SIGTERM")
        assert ending.is_ending
        assert ending.ranks[0].is_ending
        assert ending.notes
        assert (still.status, still.is_over) == ("cancelled", False)
        assert (told.attempt.status, told.attempt.error) == ("running", None)
        assert not told.attempt.is_ending
        assert told.attempt.completeness.status is CompletenessStatus.OPEN

    def test_its_own_end_decides(self) -> None:
        told = scene(started(), asked(), ended("completed", signal="SIGTERM"))

        assert (told.attempt.status, told.attempt.signal) == ("completed", "SIGTERM")
        assert told.attempt.is_over
        assert told.attempt.notes == ["SIGTERM asked it to end; it went on, and ended by itself"]

    def test_its_death_is_the_end_it_was_asked_for(self) -> None:
        told = scene(started(), asked("SIGHUP"), event("heartbeat"), lost())

        assert (told.attempt.status, told.attempt.error) == ("cancelled", "terminated by SIGHUP")
        assert told.attempt.is_over
        assert told.attempt.lost == []
        assert not told.attempt.ranks[0].is_lost

    def test_its_death_after_it_went_on_is_a_loss(self) -> None:
        told = scene(started(), asked(), message("going on"), lost())

        assert told.attempt.status is RunStatus.FAILED
        assert told.attempt.ranks[0].is_lost

    def test_of_another_rank_only_that_one_ends(self) -> None:
        told = scene(started()).says(started(1), asked(), by="p1")

        assert [rank.status for rank in told.attempt.ranks] == ["running", "cancelled"]
        assert told.attempt.status is RunStatus.RUNNING

    def test_what_its_child_reports_does_not_withdraw_it(self) -> None:
        told = scene(started(), asked()).says(joined(), message("a"), by="c")

        assert told.attempt.is_ending

    def test_a_second_signal_changes_nothing(self) -> None:
        told = scene(started(), asked("SIGTERM", at=1), asked("SIGHUP", at=2))

        assert told.attempt.error == "terminated by SIGTERM"

    def test_health_is_that_of_its_signs(self) -> None:
        told = scene(started()).says(asked(), ms=100_000).says(event("heartbeat"), ms=115_000)

        assert told.state.health(120_000) is Health.ALIVE
        assert told.state.health(200_000) is Health.ENDED


class TestWhatElseIsSaid:
    def test_an_unknown_number_is_missing(self) -> None:
        told = scene(started(), event("loss", counts={}, reason="memory", uncounted=True), ended())

        assert told.attempt.completeness.status is CompletenessStatus.SHED
        assert told.attempt.completeness.is_uncounted

    def test_not_where_another_said_so(self) -> None:
        told = scene(started(), event("loss", counts={}, reason="r", uncounted=True), lost())
        told.says(resumed("p0", 0), ended(), by="p1")

        assert told.attempt.completeness.status is CompletenessStatus.COMPLETE

    def test_values_that_were_rejected_are_counted(self) -> None:
        told = scene(started(), event("dev_event", message="a", rejected=2))
        told.says(event("dev_event", message="b", rejected=1), event("dev_event", message="c"))

        assert told.attempt.rejected == 3
        assert told.attempt.notes == [
            "3 values were not as the report call takes them: kept as dev events"
        ]

    def test_two_attempts_that_are_alive_at_once_are_named(self) -> None:
        told = scene(started()).says(started(), by="p1", ms=50_000)
        before = told.state.alive_beside(60_000)
        told.says(message("still here"), ms=59_000)

        assert before == []
        assert told.state.alive_beside(60_000) == [1]
        assert told.state.alive_beside(200_000) == []
        told.says(ended("failed"), ms=61_000)
        assert told.state.alive_beside(62_000) == []
