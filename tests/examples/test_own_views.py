"""Given these events, when a view folds them, then it has this."""

from __future__ import annotations

from examples.own_views.own_views.errors_by_kind import ErrorsByKind, fingerprint
from examples.own_views.own_views.time_by_step import TimeByStep
from synapse_stream.testing.views import SECOND, START, ended, given, message, progress, started

TRACEBACK = """ValueError: row {n} holds 'x'

Traceback (most recent call last):
  File "/app/run.py", line 8, in <module>
    main()
  File "/app/load.py", line {n}, in parse
    raise ValueError(f"row {{n}}")
ValueError: row {n} holds 'x'"""


def test_a_step_takes_from_its_first_report_to_its_last_and_attempts_are_added_up() -> None:
    job = given(started(), progress(1, step="fit", at=0), progress(9, step="fit", at=5))
    job.says(started(), progress(1, step="fit", at=60), progress(2, step="eval", at=61), by="p1")
    job.says(progress(9, step="fit", at=62.5), by="p1")

    steps = job.seen_by(TimeByStep).state["steps"]

    assert {step: found["seconds"] for step, found in steps.items()} == {"fit": 7.5, "eval": 0.0}
    assert list(steps["fit"]["attempts"]) == ["1", "2"]


def test_errors_of_one_kind_are_counted_together() -> None:
    job = given(started(), message("Row 7 of sensor 'a' is bad", "danger", at=1))
    job.says(message("Row 8 of sensor 'b' is bad", "danger", at=2), message("fine", at=3))
    job.says(ended("failed", error=TRACEBACK.format(n=8), at=4))

    seen = job.seen_by(ErrorsByKind)

    assert seen.state["kinds"] == {
        "Row # of sensor # is bad": {
            "count": 2,
            "first": START + SECOND,
            "last": START + 2 * SECOND,
        },
        "ValueError in load.py:parse": {
            "count": 1,
            "first": START + 4 * SECOND,
            "last": START + 4 * SECOND,
        },
    }
    assert [(row[0], row[1]) for row in seen.rows] == [
        ("Row # of sensor # is bad", START + SECOND),
        ("Row # of sensor # is bad", START + 2 * SECOND),
        ("ValueError in load.py:parse", START + 4 * SECOND),
    ]
    assert seen.refused == []


def test_an_event_that_cannot_be_read_is_refused_and_the_others_go_on() -> None:
    job = given(started(), {"type": "message", "level": "danger"}, message("bad", "danger"))

    seen = job.seen_by(ErrorsByKind)

    assert [(one.position.index, one.reason) for one in seen.refused] == [
        (1, "KeyError: 'content'")
    ]
    assert list(seen.state["kinds"]) == ["bad"]


def test_the_same_error_of_another_line_is_of_the_same_kind() -> None:
    assert fingerprint(TRACEBACK.format(n=8)) == fingerprint(TRACEBACK.format(n=9))
