"""Looking back in a long run: its state at a moment, in a process that knows nothing of it."""

from __future__ import annotations

import random
import time
from itertools import count
from typing import TYPE_CHECKING

from bench.consuming import catch_up
from bench.figures import Bound, Row
from bench.fresh import in_fresh_process
from bench.streams import mixed, streams
from consumers.views.run_state.fold import RunStateView
from synapse_stream import JobStream, Settings
from synapse_stream.entries.position import Position
from synapse_stream.log.event_log import open_log

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.stage import Stage
    from bench.streams import Ends

BATCH = 100
JOB = "run-0"

_folders = count(1)
_random = random.Random(5)


def rows(stage: Stage) -> Iterator[Row]:
    """Positions, then times, around the middle of one run."""
    events = 5 * stage.scale.events
    with streams(stage, 1, events, BATCH, mixed) as filled:
        filled.write()
        folder = f"sqlite:///{stage.root}/history-{next(_folders)}"
        settings = filled.settings.model_copy(update={"store_url": folder})
        catch_up(settings, RunStateView.name, filled.ends)
        entries = _entries(settings, filled.ends)
        at_positions, at_times = [], []
        for _ in range(stage.scale.rounds):
            entry = entries[len(entries) // 2 + _random.randrange(len(entries) // 10)]
            at = Position(*entry, BATCH // 2)
            (recorded,) = JobStream(JOB, settings).read(Position(*entry, BATCH // 2 - 1), until=at)
            at_positions.append(in_fresh_process(look, settings, at))
            at_times.append(in_fresh_process(look, settings, recorded.event.time))
    what = f"state in the middle of a run of {events:,} events, cold, at a"
    bound = Bound(1, on="ours")
    yield Row(f"{what} position", "s", at_positions, bound=bound)
    yield Row(f"{what} time", "s", at_times, bound=bound)


def look(settings: Settings, at: Position | int) -> float:
    """Return the seconds that a first look at a moment takes."""
    start = time.perf_counter()
    state = JobStream(JOB, settings).state(at)
    seconds = time.perf_counter() - start
    assert state is not None
    return seconds


def _entries(settings: Settings, ends: Ends) -> list[tuple[int, int]]:
    """Return the ids of the run's entries."""
    ((partition, end),) = ends.items()
    log, found = open_log(settings), [(0, 0)]
    while found[-1] != end:
        found += [pointer.entry for pointer in log.read_feed(partition, found[-1])]
    log.close()
    return found[1:]
