"""`synapse-stream replay`: a run once more, on the terminal or into another job."""

from __future__ import annotations

import errno
import operator
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synapse_stream.cli.shared.completion import Job
from synapse_stream.cli.shared.moments import moment
from synapse_stream.cli.shared.output import WrongUse
from synapse_stream.cli.shared.reading import near_job, say_no
from synapse_stream.cli.shared.reason import Reason
from synapse_stream.entries.position import Position

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.events.types import Event
    from synapse_stream.loggers.console import ConsoleLogger
    from synapse_stream.reading.replay import Part
    from synapse_stream.reading.stream import JobStream

_MAX = "max"
_LARGEST_INDEX = 2**63
_LONGEST_DELAY_US = 7 * 86_400 * 1_000_000


def replay(
    job: Job,
    *,
    speed: Annotated[
        str | None,
        typer.Option(metavar="N|max", help="Times its own speed; 1, and with --to max."),
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="WHEN",
            help="From this position or time on, such as -10m or 2026-11-25 12:00.",
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Up to this position or time.")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="JOB2", help="Into this new job.")] = None,
    redis_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Of the server of JOB2, if another.")
    ] = None,
    reason: Reason = None,
) -> None:
    """Play a run again, in its own rhythm: on the terminal, or into another job.

    A replay into a job that broke off is repeated with the same arguments. Exit code 1 when there
    are no such events, or JOB2 is something else.
    """
    from synapse_stream.reading.replay import Part
    from synapse_stream.reading.stream import JobStream
    from synapse_stream.settings import Settings

    settings = Settings.load()
    moments = (
        None if begin is None else moment("--from", begin),
        None if until is None else moment("--until", until),
    )
    part = Part(*_places(JobStream(job, settings), *moments))
    if redis_url and not to:
        msg = "--redis-url names the server of --to, and there is no --to"
        raise WrongUse(msg)
    pace = _Pace(_speed(speed or (_MAX if to else "1")))
    try:
        found = _into(job, to, part, pace, redis_url, reason) if to else _show(job, part, pace)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if not found:
        say_no(f"job {job!r} has no events there{near_job(settings, job)}")


class _Pace:
    """Waits until an event is due: as long after the first as it was, by the producers' clocks.

    A time that cannot be is not believed: then it counts when the server had the event.
    """

    def __init__(self, speed: float | None) -> None:
        """Set how many times as fast; None does not wait."""
        self._speed = speed
        self._begun: tuple[float, int] | None = None

    def wait(self, recorded_ms: int, time_us: int) -> None:
        """Wait for an event of this time, which the server had at that time."""
        if self._speed is None:
            return
        if not 0 <= recorded_ms * 1000 - time_us <= _LONGEST_DELAY_US:
            time_us = recorded_ms * 1000
        if self._begun is None:
            self._begun = time.monotonic(), time_us
        begun, first_us = self._begun
        time.sleep(max(0.0, begun + (time_us - first_us) / 1e6 / self._speed - time.monotonic()))


def _show(job: str, part: Part, pace: _Pace) -> int:
    """Show the events as a logger on the terminal would have; return how many there were."""
    from synapse_stream.events.types import Resumed, RunStarted
    from synapse_stream.loggers.console import ConsoleLogger
    from synapse_stream.reading.stream import JobStream

    after = None if part.begin is None else _before(part.begin)
    ranks: dict[str, int] = {}
    count = 0

    class Screen(ConsoleLogger):
        def complain(self, failure: BaseException) -> None:
            raise BrokenPipeError(errno.EPIPE, str(failure)) from failure

    with closing(Screen(job, stream=sys.stdout)) as screen:
        for found in JobStream(job).read(after, part.end):
            event, count = found.event, count + 1
            pace.wait(found.position.ms, event.time)
            if isinstance(event, RunStarted):
                ranks[found.producer] = event.rank
            elif isinstance(event, Resumed):
                ranks[found.producer] = event.rank or 0
            _say(screen, event, ranks.get(found.producer, 0))
    return count


def _say(screen: ConsoleLogger, event: Event, rank: int) -> None:
    from synapse_stream.events.types import (
        End,
        Loss,
        ProducerLost,
        Resumed,
        Undecodable,
        UnknownEvent,
    )

    fields: dict[str, Any] = event.model_dump(exclude_none=True)
    step = f"{event.step or 'progress'} (rank {rank})" if rank else event.step
    match event:
        case ProducerLost() | Loss() | Resumed() | Undecodable():
            why = fields.get("reason", "the process is gone")
            content = f"{event.type}: {why}"
            screen.record("message", step, {"level": "danger", "content": content})
        case UnknownEvent():
            return  # of a newer release
        case End() if rank or event.status is None:
            return  # only a process leaves
        case _:
            screen.record(event.type, step, fields)


def _into(
    job: str, to: str, part: Part, pace: _Pace, redis_url: str | None, reason: str | None
) -> int:
    """Replay into another job; return how many events it has of the original."""
    from synapse_stream.entries.keys import TRAIL
    from synapse_stream.log.event_log import open_log
    from synapse_stream.operating.trail import acting
    from synapse_stream.reading.replay import Replay
    from synapse_stream.reading.stream import JobStream
    from synapse_stream.settings import Settings

    settings = Settings.load()
    if to == job and redis_url in {None, settings.redis_url}:
        msg = f"--to {to!r}: a run cannot be replayed into itself"
        raise WrongUse(msg)
    if to == TRAIL:
        msg = f"--to {to!r} is the operators' trail, which no run can be"
        raise WrongUse(msg)
    there = settings.model_copy(update={"redis_url": redis_url}) if redis_url else settings
    with closing(open_log(there)) as log:
        log.check()
        source = JobStream(job, settings).entries(part.end)
        with acting(there, "replay --to", jobs=[to], reason=reason, before={"of": job}) as act:
            done = Replay(job, log, to, part).run(
                source, lambda recorded_ms, line: pace.wait(recorded_ms, _time(line))
            )
            act.after.update(done._asdict())
    if done.events:
        new = f"{done.appended} of {done.events} events are new there"
        rest = f"; {done.left_out} entries that are no batch are left out" if done.left_out else ""
        print(f"synapse-stream: job {job!r} is replayed into {to!r}: {new}{rest}", file=sys.stderr)
    return done.events


def _time(line: bytes) -> int:
    from synapse_stream.errors import DecodeError
    from synapse_stream.events.types import parse

    try:
        return parse(line).time
    except DecodeError:
        return 0  # it is due at once


def _before(position: Position) -> Position:
    """Return a position behind which `position` is the first."""
    ms, seq, index = position
    if index > 0:
        return Position(ms, seq, index - 1)
    return Position(ms, seq - 1, _LARGEST_INDEX) if seq else Position(ms - 1, 2**64 - 1, 0)


def _places(
    stream: JobStream, begin: Position | int | None, until: Position | int | None
) -> Iterator[Position | None]:
    """Yield positions; for times those of the first event since, and of the last until then."""
    for when, is_in, place in ((begin, operator.ge, 0), (until, operator.le, -1)):
        if not isinstance(when, int):
            yield when
            continue
        found = [each.position for each in stream.read() if is_in(each.event.time, when)]
        if not found:
            say_no(f"job {stream.job_id!r} has no events there")
        yield found[place]


def _speed(text: str) -> float | None:
    if text == _MAX:
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        msg = f"--speed {text!r}: expected a number above 0, as 1 or 0.5 or 100, or max"
        raise WrongUse(msg)
    return speed
