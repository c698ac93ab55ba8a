from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from consumers.views.message_feed.fold import MessageFeedView
from tests.support.chains import Chain
from tests.support.events import message
from tests.support.projecting import Consumers, OlderMessageFeed, project
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings
    from tests.support.commands import Said


@pytest.fixture
def two_parked(log: EventLog, settings: Settings) -> None:
    """Have two messages of levels that no projection of messages knows."""
    log.append(Chain("job-1").add(message("good"), message("a\x1b[31m", "loud")))
    log.append(Chain("job-2").add(message("b", "shrill")))
    project(settings)


def ids(command: Callable[..., Said], *arguments: str) -> list[str]:
    return [found["id"] for found in command("parked", "list", "--json", *arguments).objects]


def test_when_nothing_is_parked_that_is_said(command: Callable[..., Said]) -> None:
    assert command("parked") == (0, "Nothing is parked: the views understood every event\n", "")
    assert command("parked", "list", "--json") == (0, "", "")


@pytest.mark.usefixtures("two_parked")
def test_parked_events_are_listed_by_projection_with_their_reasons(
    command: Callable[..., Said],
) -> None:
    said = command("parked")

    assert said.code == 0
    rows = [line.split() for line in said.lines]
    assert rows[0] == ["ID", "JOB", "POSITION", "TRIED", "PARKED", "REASON"]
    assert [row[0].split("/")[0] for row in rows[1:]] == ["run-state"] * 2 + ["message-feed"] * 2
    assert [row[3] for row in rows[1:]] == ["1"] * 4
    reasons = {row[1]: " ".join(row[6:]) for row in rows[3:]}
    assert reasons["job-1"].startswith("level='loud' is not allowed; expected one of debug, info")
    assert reasons["job-2"].startswith("level='shrill' is not allowed")
    assert said.out == command("parked", "list").out
    assert len(ids(command, "--job", "job-2")) == 2


@pytest.mark.usefixtures("two_parked")
def test_a_parked_event_is_shown_as_it_came(command: Callable[..., Said]) -> None:
    event = ids(command, "--job", "job-1")[1]

    said = command("parked", "show", event)
    (found,) = command("parked", "show", event, "--json").objects

    assert said.code == 0
    fields = dict(line.split(maxsplit=1) for line in said.lines[:-1])
    assert (fields["id"], fields["job"], fields["number"]) == (event, "job-1", "1")
    assert orjson.loads(said.lines[-1])["level"] == "loud"
    assert "\x1b" not in said.out
    assert orjson.loads(found["raw"])["content"] == "a\x1b[31m"
    assert (found["producer"], found["number"], found["attempts"]) == ("producer-1", 1, 1)


@pytest.mark.usefixtures("two_parked")
def test_a_job_tells_how_many_of_its_events_are_parked(command: Callable[..., Said]) -> None:
    listed = "`synapse-stream parked list --job job-1` has them, and why"
    assert f"left out   2 events not understood: {listed}" in command("show", "job-1").out
    assert "2 events not understood" in command("jobs").out


@pytest.mark.usefixtures("two_parked")
def test_dropping_forgets_those_named_and_a_wrong_one_is_a_no(
    command: Callable[..., Said],
) -> None:
    first, second, *others = ids(command)

    assert command("parked", "drop", first, second) == (0, "2 dropped\n", "")
    assert ids(command) == others
    again = command("parked", "drop", first, others[0])
    assert (again.code, again.out) == (1, "1 dropped\n")
    assert "1 of them are not parked" in again.err


@pytest.mark.usefixtures("two_parked")
def test_all_of_a_job_or_all_can_be_dropped(command: Callable[..., Said]) -> None:
    assert command("parked", "drop", "--all", "--job", "job-1", "--json").objects == [{"count": 2}]
    assert len(ids(command)) == 2
    assert command("parked", "drop", "--all").out == "2 dropped\n"
    assert ids(command) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["retry"],
        ["drop"],
        ["drop", "--job", "job-1"],
        ["drop", "run-state/1", "--all"],
        ["drop", "run-state"],
        ["drop", "runs/1"],
        ["retry", "run-state/-1"],
        ["retry", f"run-state/{10**30}"],
        ["show", "1"],
    ],
    ids=" ".join,
)
def test_what_names_no_event_is_wrong_use(
    command: Callable[..., Said], arguments: list[str]
) -> None:
    said = command("parked", *arguments)

    assert (said.code, said.out) == (2, "")


def test_an_event_that_is_not_parked_is_a_no(command: Callable[..., Said]) -> None:
    assert command("parked", "show", "run-state/7").code == 1
    assert command("parked", "retry", "run-state/7").code == 1


def test_a_retry_fails_again_until_the_consumer_is_updated_and_then_folds_the_event_in_its_place(
    command: Callable[..., Said], log: EventLog, settings: Settings
) -> None:
    chain = Chain("job-1")
    log.append(chain.add(message("one"), message("two", is_new=True), message("three")))
    with Consumers(settings, [OlderMessageFeed]) as older:
        older.catch_up()
        (event,) = ids(command)
        assert command("parked", "retry", event) == (0, "1 to be retried\n", "")
        wait_until(lambda: command("parked", "show", event, "--json").objects[0]["attempts"] == 2)
        (failed,) = command("parked", "show", event, "--json").objects
        log.append(chain.add(message("four")))
        older.catch_up()

    assert (failed["reason"], failed["is_marked"]) == ("message is not known yet", False)
    command("parked", "retry", "--all")
    assert "1, " not in command("parked").out
    assert "2, to be retried" in command("parked").out
    with Consumers(settings, [MessageFeedView]):
        wait_until(lambda: ids(command) == [])

    found = command("messages", "job-1", "--json").objects
    assert [line["content"] for line in found] == ["one", "two", "three", "four"]


def test_a_running_consumer_shows_a_retried_event_as_soon_as_it_is_parked_no_more(
    command: Callable[..., Said], log: EventLog, settings: Settings
) -> None:
    class Learning(OlderMessageFeed):
        pass

    log.append(Chain("job-1").add(message("one"), message("two", is_new=True)))
    with Consumers(settings, [Learning]) as consumers:
        consumers.catch_up()
        Learning.knows_all = True
        command("parked", "retry", "--all", "--job", "job-1")
        wait_until(lambda: ids(command) == [])

        found = command("messages", "job-1", "--json").objects

    assert [line["content"] for line in found] == ["one", "two"]


def test_what_was_retried_is_not_folded_twice_by_consumers_that_read_again(
    command: Callable[..., Said], log: EventLog, settings: Settings
) -> None:
    log.append(Chain("job-1").add(message("one", is_new=True)))
    with Consumers(settings, [OlderMessageFeed]) as older:
        older.catch_up()
    command("parked", "retry", "--all")
    with Consumers(settings, [MessageFeedView]):
        wait_until(lambda: ids(command) == [])
    with Consumers(settings, [MessageFeedView]) as another:
        log.append(Chain("job-2").add(message("other")))
        another.catch_up()

    assert [m["content"] for m in command("messages", "job-1", "--json").objects] == ["one"]
