"""Clients that come and go, and clients that do not read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.resilience.live.judge import behind, judge, judge_coalesced, told_by
from tests.resilience.live.stand import JOBS, PAUSE_SECONDS, read_to_end, stand
from tests.support.scenes.reader import pump
from tests.support.scenes.report import Result

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from tests.support.scenes.reader import Reader

_LEAVES = 3
"""How often each client disconnects."""
_SLOW_EVENTS = 1_500
_PADDING_BYTES = 8_000
_SMALL_BUFFER_BYTES = 4_096


def disconnect_clients(home: Path, count: int, random: Random) -> Result:
    """Clients of four jobs that report leave at random and come back, some from far behind."""
    result = Result(f"{count} clients leave and come back", _LEAVES * count)
    with stand(home, random) as here:
        here.stage.consume("run-state")
        for job in JOBS:
            here.stage.report(job, 30)
        for number in range(count):
            here.reader(JOBS[number % len(JOBS)], after=random.choice([None, "0-0"]))
        while result.happened < result.planned:
            here.stage.report(random.choice(JOBS), random.randint(1, 40))
            pump(here.readers, PAUSE_SECONDS)
            away = [reader for reader in here.readers if not reader.is_connected]
            for reader in random.sample(away, min(len(away), 1 + count // 8)):
                reader.connect()
            tired = [reader for reader in here.readers if _may_leave(reader)]
            for reader in random.sample(tired, min(len(tired), 1 + count // 10)):
                _leave(reader, random)
                result.happened += 1
        here.connect_all()
        here.judge_all(result)
    return result


def stop_reading(home: Path, count: int, random: Random) -> Result:
    """Clients read nothing while more is reported than is kept for them, and then go on."""
    result = Result(f"{count} clients stop reading", count)
    job = JOBS[0]
    with stand(home, random) as here:
        here.stage.report(job, 10)
        slow = [
            here.reader(job, after="0-0", buffer_bytes=_SMALL_BUFFER_BYTES) for _ in range(count)
        ]
        for reader in slow:
            reader.connect().until_kinds("state")
        quick = here.reader(job).connect().until_kinds("snapshot")
        for number in range(_SLOW_EVENTS):
            here.stage.append(job, _heavy(number))
            pump([quick], 0.002)
        here.stage.append(job, [{"type": "message", "content": "the last", "level": "info"}])
        stream = told_by(here.stage.log, job)
        read_to_end(quick, stream)
        judge(result.tally, "the quick one", behind(stream, quick), quick.events)
        left_out = []
        for number, reader in enumerate(slow):
            read_to_end(reader, stream)
            left_out.append(judge_coalesced(result.tally, f"client {number}", stream, reader))
            result.happened += left_out[-1] > 0
        here.judge_api(result)
    result.notes.append(f"of {len(stream)} events {left_out} were left out, and counted")
    return result


def _may_leave(reader: Reader) -> bool:
    is_greeted = reader.last_id is not None
    return reader.is_connected and is_greeted and reader.connects <= _LEAVES


def _leave(reader: Reader, random: Random) -> None:
    """Disconnect; a third remembers less than it got, as a tab that is restored."""
    reader.leave()
    if reader.events and random.random() < 1 / 3:
        del reader.events[random.randrange(len(reader.events)) + 1 :]
        reader.last_id = reader.events[-1].position


def _heavy(number: int) -> list[dict[str, Any]]:
    """Return events of all kinds that take room."""
    values = {"loss": number, f"m{number % 7}": number}
    note = "x" * _PADDING_BYTES
    return [
        {"type": "metrics", "step": "fit", "values": values, "note": note},
        {"type": "progress", "step": "fit", "current": number, "total": _SLOW_EVENTS},
        {"type": "message", "content": f"message {number}", "level": "info"},
    ]
