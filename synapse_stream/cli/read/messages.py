"""`synapse-stream messages`: what a job says, once or live."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from synapse_stream.cli.shared.completion import Job
from synapse_stream.cli.shared.moments import moment
from synapse_stream.cli.shared.output import coloured, print_json
from synapse_stream.cli.shared.reading import near_job, say_no
from synapse_stream.cli.shared.tables import clock
from synapse_stream.entries.position import BEGINNING, Position
from synapse_stream.models import LogLevel
from synapse_stream.ports.views.jsonable import jsonable
from synapse_stream.saying.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from synapse_stream.ports.views import Message, MessagePage, Views

_COLOURS = {
    "debug": "bright_black",
    "success": "green",
    "warning": "yellow",
    "danger": "red",
    "error": "red",
    "critical": "red",
}
_PAGE = 500
_PAUSE_SECONDS = 0.2


def messages(
    job: Job,
    *,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on until the run ends.")
    ] = False,
    dev: Annotated[bool, typer.Option("--dev", help="Dev events and log entries as well.")] = False,
    level: Annotated[
        list[LogLevel] | None, typer.Option(help="Only of this level; may be given repeatedly.")
    ] = None,
    lang: Annotated[
        str | None, typer.Option(help="Language, such as ko, where a message has it.")
    ] = None,
    tail: Annotated[
        int | None, typer.Option("-n", "--tail", min=0, help="Only so many, the last ones.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Only from this position or time on, such as -10m or 2026-11-25 12:00."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a message.")] = False,
) -> None:
    """Print what a job said to its users, in order.

    Exit code 1 when there is nothing to print.
    """
    from synapse_stream.reading.job_views import opened
    from synapse_stream.settings import Settings

    settings = Settings.load()
    start = None if since is None else moment("--since", since)
    kinds = ("message", "dev_event", "log") if dev else ("message",)
    count = 0
    with opened(settings) as views:
        read = partial(views.messages, job, kinds=kinds, levels=level, language=lang)
        after = BEGINNING if tail is None else _before_last(tail, read)
        found = _followed(views, job, read, after) if follow else _recorded(read, after)
        try:
            for message in found:
                if start is None or _is_since(message, start):
                    _show(message, as_json=as_json)
                    count += 1
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        views_know = count or views.state(job) is not None
    if not count:
        such = "such " if level or since or tail is not None else ""
        near = "" if views_know else near_job(settings, job)
        say_no(f"job {job!r} has no {such}messages{near}")


def _before_last(count: int, read: Callable[..., MessagePage]) -> Position:
    """Return the position behind which the last `count` messages stand."""
    before = None
    while True:
        page = read(before=before, limit=min(count + 1, _PAGE))
        if len(page.messages) > count:
            return page.messages[-count - 1].position
        if not page.has_more:
            return BEGINNING
        count -= len(page.messages)
        before = page.messages[0].position


def _is_since(message: Message, start: Position | int) -> bool:
    if isinstance(start, Position):
        return message.position >= start
    return message.time >= start


def _recorded(read: Callable[..., MessagePage], after: Position) -> Iterator[Message]:
    while True:
        page = read(after=after, limit=_PAGE)
        yield from page.messages
        if not page.has_more:
            return
        after = page.messages[-1].position


def _followed(
    views: Views, job: str, read: Callable[..., MessagePage], after: Position
) -> Iterator[Message]:
    """Yield messages until the run has ended and the feed holds all that it said."""
    while True:
        is_over = _is_over(views, job)  # asked before the last look
        for message in _recorded(read, after):
            after = message.position
            yield message
        if is_over:
            return
        time.sleep(_PAUSE_SECONDS)


def _is_over(views: Views, job: str) -> bool:
    """Tell whether the run has ended, and the feed holds what the run state holds."""
    state = views.state(job)
    if state is None or not state.is_over:
        return False
    place = views.position("message-feed", job)
    return place is not None and place >= state.position


def _show(message: Message, *, as_json: bool) -> None:
    if as_json:
        print_json(jsonable(message))
        return
    line, colour = message_line(message)
    print(f"{clock(message.time)}  {coloured(line, colour)}", flush=True)


def message_line(message: Message) -> tuple[str, str | None]:
    """Return a message as one line that is safe to print, and its colour."""
    text = message.content if message.kind == "message" else f"{message.kind} {message.content}"
    if message.data is not None:
        text += f" {orjson.dumps(jsonable(message.data)).decode()}"
    if message.file is not None:
        text += f" ({message.file})"
    rank = f"rank {message.rank}: " if message.rank else ""
    step = f"{message.step}: " if message.step else ""
    return f"{message.level:<8}  {one_line(rank + step + text)}", _COLOURS.get(message.level)
