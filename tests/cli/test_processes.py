"""What the command line says of processes that were confused, asked to end, or are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from synapse_stream.cli.read.watching import Watcher
from synapse_stream.reading.job_views import opened
from synapse_stream.reading.stream import JobStream
from tests.support.projecting import project
from tests.support.stories import ENDED, SAID, asked, taken

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.ports.views import RunState
    from synapse_stream.settings import Settings
    from tests.support.commands import Said


def test_show_says_what_must_be_known_of_a_run(
    command: Callable[..., Said], log: EventLog, settings: Settings
) -> None:
    taken(log, "job-1")
    project(settings)

    position = _state(settings).position  # its clock stands still there
    said = command("show", "job-1", "--at", str(position))

    assert said.code == 0, said
    fields = [line.split(maxsplit=1) for line in said.lines if line.strip()]
    assert ["status", "completed"] in fields
    assert [
        "complete",
        "an unknown number of events is missing; "
        "1 process has not ended, or not sent all (child-2)",
    ] in fields
    notes = [value for name, value in (pair for pair in fields if len(pair) > 1) if name == "note"]
    assert notes[:2] == [
        "SIGTERM asked it to end; it went on, and ended by itself",
        "2 values were not as the report call takes them: kept as dev events",
    ]
    assert notes[2].startswith("the record was interfered with: somebody else reported as rank 0")
    assert notes[3] == "attempt 1 is alive, too"


def _state(settings: Settings) -> RunState:
    found = JobStream("job-1", settings).state()
    assert found is not None
    return found


def test_lists_and_objects_say_it_too(
    command: Callable[..., Said], log: EventLog, settings: Settings
) -> None:
    taken(log, "job-1")
    asked(log, "job-2")
    project(settings)

    listed = command("jobs")
    lines = command("jobs", "--json").lines
    rows = {row["job_id"]: row for row in map(orjson.loads, lines)}
    shown: dict[str, Any] = orjson.loads(command("show", "job-1", "--json").out)

    assert any("cancelled (so far)" in line for line in listed.lines)
    assert any("the record was interfered with" in line for line in listed.lines)
    assert (rows["job-1"]["waiting"], len(rows["job-1"]["notes"])) == (1, 3)
    assert shown["notes"] == rows["job-1"]["notes"]
    assert shown["attempts"][0]["resumed"][0]["heir"] == "heir"
    assert shown["attempts"][0]["completeness"]["waiting"] == ["child-2"]


def test_events_of_processes_are_printed_as_they_are(
    command: Callable[..., Said], log: EventLog, settings: Settings
) -> None:
    taken(log, "job-1")
    project(settings)

    words = {word for line in command("events", "job-1").lines for word in line.split()}

    assert {"joined", "resumed", "loss"} <= words
    assert {line.split()[-1] for line in command("messages", "job-1").lines} == {"hi"}


def test_a_run_that_was_asked_to_end_is_watched_until_it_has(
    log: EventLog, settings: Settings
) -> None:
    chain = asked(log, "job-1")
    project(settings)
    with opened(settings) as views:
        watcher = Watcher(settings, views, "job-1")
        try:
            asked_to_end = watcher.look()
            log.append(chain.add(SAID))
            project(settings)
            going_on = watcher.look()
            log.append(chain.add(ENDED))
            project(settings)
            over = watcher.look()
        finally:
            watcher.close()

    assert asked_to_end is not None
    assert (asked_to_end.state.status, asked_to_end.is_over) == ("cancelled", False)
    assert going_on is not None
    assert (going_on.state.status, going_on.is_over) == ("running", False)
    assert over is not None
    assert (over.state.status, over.is_over) == ("completed", True)
