"""The message feed: rows in, pages out, in both directions and through every filter."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from consumers.store.schema import lane
from consumers.views.message_feed import table
from synapse_stream.entries.position import BEGINNING
from synapse_stream.models import LogLevel
from tests.store.jobs import FIRST_MS, MESSAGES, Committer, message, project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumers.store.store import Store
    from consumers.views.reader import StoredViews
    from synapse_stream.ports.views import Message

LEVELS = ("info", "warning", "danger", "debug")
STEPS = (None, "training", "eval")
KINDS = ("message", "dev_event", "log")
LINES = 90


def line(number: int) -> dict[str, Any]:
    """Return an event whose kind, level and step run through all combinations."""
    kind, level, step = next(
        itertools.islice(itertools.product(KINDS, LEVELS, STEPS), number * 7 % 36, None)
    )
    event: dict[str, Any] = {"type": kind}
    if kind == "message":
        event |= message(f"line {number}", level)
    elif kind == "dev_event":
        event |= {"message": f"line {number}", "data": {"n": number}}
    else:
        event |= {"event": f"line {number}", "data": {"n": number}, "level": level}
    return event | ({"step": step} if step else {})


@pytest.fixture
def feed(store: Store, views: StoredViews, monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """Commit 90 lines of the job "job" in batches of 1 to 13, and return all of them.

    Some have lanes of their own, the others share some.
    """
    monkeypatch.setattr(table, "MOST_LANES", 10)
    lines = [line(number) for number in range(LINES)]
    sizes = itertools.cycle([1, 2, 13, 5])
    batches = []
    while lines:
        size = next(sizes)
        batches.append(lines[:size])
        del lines[:size]
    project(store, MESSAGES, "job", batches)
    return list(views.messages("job", kinds=KINDS, limit=1000).messages)


def test_letters_match_in_either_case_beyond_ascii(store: Store, views: StoredViews) -> None:
    if not store.databases.of(MESSAGES.name).is_sqlite:
        pytest.skip("PostgreSQL folds as the locale of its database has it")
    project(store, MESSAGES, "job", [[message(text) for text in ("ÄRGER", "Ärger", "ΣΟΦΊΑ")]])

    assert contents(views.messages("job", text="ärger").messages) == ["ÄRGER", "Ärger"]
    assert contents(views.messages("job", text="σοφία").messages) == ["ΣΟΦΊΑ"]
    assert contents(views.messages("job", text="é").messages) == []


def contents(messages: Sequence[Message]) -> list[str]:
    return [message.content for message in messages]


def test_lines_come_back_whole_and_in_order(feed: list[Message]) -> None:
    assert contents(feed) == [f"line {number}" for number in range(LINES)]
    assert {m.kind for m in feed} == set(KINDS)
    assert [m.position for m in feed] == sorted(m.position for m in feed)
    assert all(m.data == {"n": n} for n, m in enumerate(feed) if m.kind != "message")
    first = feed[0]
    assert (first.time, first.rank, first.attempt) == ((FIRST_MS + 1) * 1000, 0, 1)


def test_steps_that_share_a_lane_are_told_apart(
    store: Store, views: StoredViews, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "MOST_LANES", 2)
    steps = ["a", "b", "c", "C", "xc", '"c', "c]", "ç", "%c", "c" * 512, None]
    said = [message(f"{n} of {step}", step=step) for n in range(3) for step in steps]
    project(store, MESSAGES, "job", [said[:5], said[5:17], said[17:]])

    for step in steps:
        wanted = [f"{n} of {step}" for n in range(3)]
        found = views.messages("job", step=step).messages if step else []
        assert contents(found) == (wanted if step else [])
        assert {one.step for one in found} <= {step}
    everything = views.messages("job", limit=100).messages
    assert [one.step for one in everything] == steps * 3
    with store.databases.of(MESSAGES.name).read("test") as connection:
        assert connection.execute(select(func.count()).select_from(lane)).scalar_one() == 3


def test_dev_events_and_log_entries_are_hidden_unless_asked_for(
    feed: list[Message], views: StoredViews
) -> None:
    shown = views.messages("job", limit=1000).messages

    assert contents(shown) == contents([m for m in feed if m.kind == "message"])


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"kinds": ("message",)},
        {"kinds": ("log", "dev_event")},
        {"levels": ("warning",)},
        {"levels": ("danger", "info"), "kinds": KINDS},
        {"step": "training"},
        {"text": "LINE 1", "kinds": KINDS},
        {"text": "9", "step": "eval", "levels": ("debug",), "kinds": KINDS},
        {"text": "nowhere"},
        {"levels": ()},
        {"kinds": ()},
    ],
    ids=str,
)
@pytest.mark.parametrize("limit", [2, 7])
def test_paging_in_either_direction_meets_every_line_that_matches_once(
    feed: list[Message], views: StoredViews, filters: dict[str, Any], limit: int
) -> None:
    wanted = [
        m
        for m in feed
        if m.kind in filters.get("kinds", ("message",))
        and m.level in filters.get("levels", list(LogLevel))
        and m.step == filters.get("step", m.step)
        and filters.get("text", "").lower() in m.content
    ]

    forward: list[Message] = []
    page = views.messages("job", after=BEGINNING, limit=limit, **filters)
    while page.messages:
        forward += page.messages
        assert page.has_more == (len(forward) < len(wanted))
        page = views.messages("job", after=forward[-1].position, limit=limit, **filters)
    backward: list[Message] = []
    page = views.messages("job", limit=limit, **filters)
    while page.messages:
        backward = [*page.messages, *backward]
        assert page.has_more == (len(backward) < len(wanted))
        page = views.messages("job", before=backward[0].position, limit=limit, **filters)

    assert contents(forward) == contents(wanted)
    assert contents(backward) == contents(wanted)


def test_between_two_positions_lie_the_lines_behind_one_and_before_the_other(
    feed: list[Message], views: StoredViews
) -> None:
    page = views.messages(
        "job", kinds=KINDS, after=feed[10].position, before=feed[20].position, limit=5
    )

    assert contents(page.messages) == [f"line {number}" for number in range(11, 16)]
    assert page.has_more


@pytest.mark.parametrize("last", [0, 40, LINES - 1])
def test_until_a_position_the_feed_is_as_if_it_had_ended_there(
    feed: list[Message], views: StoredViews, last: int
) -> None:
    until = feed[last].position
    expected = contents(feed[: last + 1])

    newest = views.messages("job", kinds=KINDS, until=until, limit=5)
    assert contents(newest.messages) == expected[-5:]
    assert newest.has_more == (last >= 5)
    first = views.messages("job", kinds=KINDS, after=BEGINNING, until=until, limit=LINES)
    assert (contents(first.messages), first.has_more) == (expected, False)
    earlier = views.messages("job", kinds=KINDS, until=until, before=feed[10].position, limit=3)
    assert contents(earlier.messages) == expected[:10][-3:]


@pytest.mark.parametrize("special", ["100%", "a_b", "back\\slash", "it's", 'a "quote"', "ÄÖ", "%"])
def test_a_search_takes_every_character_as_it_stands(
    store: Store, views: StoredViews, special: str
) -> None:
    decoys = ["1000", "axb", "backslash", "its", "a quote", "ao", "x"]
    project(store, MESSAGES, "job", [[message(f"<{text}>") for text in (special, *decoys)]])

    assert contents(views.messages("job", text=special).messages) == [f"<{special}>"]


def test_what_is_rare_in_a_line_comes_back_too(store: Store, views: StoredViews) -> None:
    events = [
        message("Hallo\0 Welt", key="greeting", template={"en": "Hello"}, params={"n": 1}),
        {"type": "log", "event": "saved", "data": {}, "file": "/data/model.pt", "level": "info"},
    ]
    committer = Committer(store, MESSAGES)
    committer.commit({"job": [{"type": "run_started", "rank": 3}, *events]})

    greeting, saved = views.messages("job", kinds=KINDS, language="en").messages

    assert (greeting.content, greeting.key, greeting.params) == ("Hello", "greeting", {"n": 1})
    assert (saved.file, saved.rank) == ("/data/model.pt", 3)


def test_two_lines_at_one_position_are_both_kept(store: Store, views: StoredViews) -> None:
    """A server that lost its tail, and whose clock went back, may give an id twice."""
    committer = Committer(store, MESSAGES)
    committer.commit({"job": [message("first")]})
    committer.ms = FIRST_MS
    committer.commit({"job": [message("second")]})

    page = views.messages("job")

    assert contents(page.messages) == ["first", "second"]
    assert len({m.position for m in page.messages}) == 1


def test_an_unknown_job_has_no_messages(views: StoredViews) -> None:
    assert views.messages("unknown") == ([], False)
