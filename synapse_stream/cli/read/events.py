"""`synapse-stream events`: read a job's stream, once or live."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from synapse_stream.cli.shared.completion import Job
from synapse_stream.cli.shared.output import coloured, print_json
from synapse_stream.cli.shared.reading import near_job, say_no
from synapse_stream.saying.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synapse_stream.events.types import Event, RecordedEvent

_COLOURS = {
    "danger": "red",
    "error": "red",
    "critical": "red",
    "warning": "yellow",
    "success": "green",
    "dev_event": "bright_black",
    "heartbeat": "bright_black",
    "loss": "red",
    "producer_lost": "red",
    "resumed": "yellow",
    "terminating": "yellow",
    "joined": "bright_black",
    "undecodable": "red",
}
_ENVELOPE = {"seq", "time", "type", "v", "step"}


def events(
    job: Job,
    *,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on until the run ends.")
    ] = False,
    kind: Annotated[
        str | None, typer.Option("--type", help="Only this type, such as metrics or message.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object an event.")] = False,
) -> None:
    """Print what a job reported, in the order of its stream.

    Exit code 1 when there is nothing to print.
    """
    from synapse_stream.reading.stream import JobStream
    from synapse_stream.settings import Settings

    settings = Settings.load()
    stream = JobStream(job, settings)
    show = _show_json if as_json else _show_line
    try:
        seen = _print(stream.tail() if follow else stream.read(), kind, show)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if not seen:
        say_no(f"job {job!r} has no events{near_job(settings, job)}")
    if kind not in {None, *seen}:
        has = ", ".join(sorted(seen))
        say_no(f"job {job!r} has no event of type {kind!r}; it has {has}")


def _print(recorded: Iterable[RecordedEvent], kind: str | None, show: Any) -> set[str]:
    """Print the events of one type, or all; return the types that were there."""
    seen = set()
    for found in recorded:
        seen.add(found.event.type)
        if kind in {None, found.event.type}:
            show(found)
    return seen


def _show_json(found: RecordedEvent) -> None:
    from synapse_stream.events.types import Undecodable, dump

    shown: dict[str, Any] = {"position": str(found.position), "producer": found.producer}
    if isinstance(found.event, Undecodable):
        shown["undecodable"] = found.event.reason
    else:
        shown["event"] = orjson.Fragment(dump(found.event))
    print_json(shown)


def _show_line(found: RecordedEvent) -> None:
    event = found.event
    when = datetime.fromtimestamp(event.time / 1e6, UTC).astimezone()
    colour = _COLOURS.get(getattr(event, "level", None) or event.type)
    print(
        f"{found.position!s:<19}  {when:%Y-%m-%d %H:%M:%S.%f}  {one_line(event.type):<13}  "
        f"{one_line(event.step or ''):<12}  {coloured(one_line(_detail(event)), colour)}",
        flush=True,
    )


def _detail(event: Event) -> str:
    """Say what the event says, in one line."""
    fields = {name: value for name, value in event if name not in _ENVELOPE and value is not None}
    match event.type:
        case "message":
            return f"[{fields['level']}] {fields['content']}"
        case "metrics":
            place = f" at {fields['x']:g}" if "x" in fields else ""
            return " ".join(f"{name}={value:g}" for name, value in fields["values"].items()) + place
        case "progress" if "current" in fields and not fields.get("failed"):
            current, total = fields["current"], fields["total"]
            return f"{current:g}/{total:g} ({current / total:.0%})"
    return " ".join(f"{name}={_brief(value)}" for name, value in fields.items())


def _brief(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return orjson.dumps(value, default=str).decode()
    return str(value)
