"""What a job said, and in which language it is shown."""

from __future__ import annotations

from typing import Any

import pytest

from consumers.views.message_feed import reading
from consumers.views.message_feed.fold import MessageFeedView
from synapse_stream.entries.position import Position
from synapse_stream.ports.views import Message, render
from tests.support.events import START, event, message, metrics, started
from tests.support.folding import Scene, scene

FULL_WIDTH = (
    "{n:\uff19\uff19\uff19\uff19\uff19\uff19\uff19}"  # digits that str.format takes as well
)


def shown(told: Scene, language: str | None = None) -> list[Message]:
    return [reading.message(row, language) for row in told.rows]


def test_a_message_has_level_step_time_rank_attempt_and_position() -> None:
    told = scene(started(2), message("Uploaded", "success", step="upload", key="upload.done", at=5))

    assert shown(told) == [
        Message(
            position=Position(1000, 0, 1),
            time=START + 5_000_000,
            kind="message",
            level="success",
            step="upload",
            rank=2,
            attempt=1,
            content="Uploaded",
            key="upload.done",
        )
    ]


def test_dev_events_and_log_entries_stand_beside_messages_with_their_data() -> None:
    data = {"memory": {"$float": "NaN"}, "own": {"$$int": "1"}}
    told = scene(
        event("dev_event", message="epoch", data=data),
        event("log", event="checkpoint", data={"epoch": 5}, file="/data/model.pt", level="warning"),
    )

    dev_event, log = shown(told)

    assert (dev_event.kind, dev_event.level, dev_event.content) == ("dev_event", "debug", "epoch")
    assert str(dev_event.data) == "{'memory': nan, 'own': {'$int': '1'}}"
    assert (log.kind, log.level, log.content, log.file) == (
        "log",
        "warning",
        "checkpoint",
        "/data/model.pt",
    )
    assert log.data == {"epoch": 5}


def test_rows_are_numbered_in_the_order_of_the_feed() -> None:
    told = scene(message("a"), metrics({"loss": 1}), message("b")).says(message("c"), by="p1")

    assert [(row.number, row.content) for row in told.rows] == [(0, "a"), (1, "b"), (2, "c")]


def test_rows_that_were_taken_are_not_given_again_and_numbers_go_on() -> None:
    told = scene(message("a")).says(message("b"))
    fold = Scene().fold(MessageFeedView)

    fold.apply(told.entries[0])
    fold.rows()
    fold.apply(told.entries[1])

    assert [(row.number, row.content) for row in fold.rows()] == [(1, "b")]


def test_a_nul_which_no_database_column_holds_is_shown_as_its_symbol() -> None:
    assert shown(scene(message("a\0b")))[0].content == "a␀b"


@pytest.mark.parametrize(
    "bad",
    [
        message("x", "loud"),
        message("x", None),  # type: ignore[arg-type]
        event("message", level="info"),
        event("message", content=7, level="info"),
        event("message", content="x", level="info", key=[]),
        event("message", content="x", level="info", step={}),
        event("message", content="x", level="info", time="noon"),
        message("x", v=2),
        event("dev_event"),
        event("log", event="x", data={}),
    ],
)
def test_what_is_no_message_is_parked_and_all_others_kept(bad: dict[str, Any]) -> None:
    told = scene(message("before"), bad, message("after"))

    assert [row.content for row in told.rows] == ["before", "after"]
    told.fold(MessageFeedView)
    assert [parked.position.index for parked in told.parked] == [1]


def test_a_message_from_a_template_is_shown_in_the_language_asked_for() -> None:
    template = {"en": "{n} files from {place}", "ko": "{place}에서 {n}개"}
    told = scene(message("5 files from Über", template=template, params={"n": 5, "place": "Über"}))

    assert shown(told)[0].content == "5 files from Über"
    assert shown(told, "ko")[0].content == "Über에서 5개"
    assert shown(told, "ko-KR")[0].content == "Über에서 5개"
    assert shown(told, "fr")[0].content == "5 files from Über"
    assert shown(told)[0].params == {"n": 5, "place": "Über"}


@pytest.mark.parametrize(
    ("template", "params", "expected"),
    [
        ("{loss:.2f}", {"loss": 0.123}, "0.12"),
        ("{name!r:>8}", {"name": "x"}, "     'x'"),
        ("{files[0]} {by[name]}", {"files": ["a"], "by": {"name": "b"}}, "a b"),
        ("{{n}}", {"n": 1}, "{n}"),
        ("{missing}", {"n": 1}, "{missing}"),
        ("{", {"n": 1}, "{"),
        ("{n}", {}, "{n}"),
        ("{n.__class__}", {"n": 1}, "{n.__class__}"),
        ("{n:999999999}", {"n": 1}, "{n:999999999}"),
        (FULL_WIDTH, {"n": 1}, FULL_WIDTH),
        ("{n:{w}}", {"n": 1, "w": 5}, "    1"),
        ("{n:{w}}", {"n": 1, "w": 10**9}, "{n:{w}}"),
        ("{n:.99999f}", {"n": 1}, "{n:.99999f}"),
        ("{n}" * 2000, {"n": "x" * 1000}, "{n}" * 2000),
    ],
)
def test_a_template_is_filled_as_str_format_does_but_reaches_nowhere(
    template: str, params: Any, expected: str
) -> None:
    assert render("as logged", {"ko": template}, params, "ko") == expected


@pytest.mark.parametrize("template", [None, "text", {"ko": 7}, {"head": "{", "tail": "}"}, []])
def test_what_is_no_template_leaves_the_message_as_it_was_logged(template: Any) -> None:
    assert render("as logged", template, {"n": 1}, "ko") == "as logged"
