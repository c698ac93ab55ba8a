"""Has a client got what the stream holds: all of it, once, in order, unchanged?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson

from consumers.api.live.coalescing import COALESCED
from tests.support.scenes.audit import Tally, read_all
from tests.support.scenes.reader import Told

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from synapse_stream.log.event_log import EventLog
    from tests.support.scenes.reader import Reader


def told_by(log: EventLog, job: str) -> list[Told]:
    """Return what a job's stream holds, as a client should get it."""
    return [
        Told(f"{entry.ms}-{entry.seq}.{index}", entry.batch.producer, line)
        for entry in read_all(log, job)
        if entry.batch is not None
        for index, line in enumerate(entry.batch.lines())
    ]


def behind(stream: Sequence[Told], reader: Reader) -> Sequence[Told]:
    """Return what follows the last snapshot that a client got; all if it got none."""
    begun = [sent.id for sent in reader.sent if sent.event == "snapshot"]
    places: list[str | None] = [told.position for told in stream]
    return stream[places.index(begun[-1]) + 1 :] if begun else stream


def judge(tally: Tally, who: str, wanted: Sequence[Hashable], found: Sequence[Hashable]) -> None:
    """Blame what a client lost, got twice, out of order or from nowhere."""
    tally.events += len(wanted)
    expected, there = Counter(wanted), Counter(found)
    lost, more = expected - there, there - expected
    twice = Counter({thing: count for thing, count in more.items() if thing in expected})
    for name, things in (("lost", lost), ("twice", twice), ("unknown", more - twice)):
        if things:
            tally.blame(name, f"{who}: {next(iter(things))!r:.200}", things.total())
    if expected == there and list(wanted) != list(found):
        tally.blame("disordered", who)


def judge_coalesced(tally: Tally, who: str, stream: Sequence[Told], reader: Reader) -> int:
    """Judge a client that was too slow; return how many events were left out for it.

    All but progress and metrics must be there; of those the rest, in order, with the newest of each
    step and name, and as many as the client was told are lacking.
    """
    wanted, found = list(behind(stream, reader)), reader.events
    left_out: int = sum(said["events"] for said in reader.of("coalesced"))
    judge(tally, who, [t for t in wanted if not _may_go(t)], [t for t in found if not _may_go(t)])
    order = {told: number for number, told in enumerate(wanted)}
    places = [order.get(told, -1) for told in found]
    if places != sorted(set(places)) or -1 in places:
        tally.blame("disordered", f"{who}: what is left is not as in the stream")
    if len(found) + left_out != len(wanted):
        told = f"{len(found)} came and {left_out} were left out of {len(wanted)}"
        tally.blame("lost", f"{who}: {told}", abs(len(wanted) - len(found) - left_out))
    if newest(wanted) != newest(found):
        tally.blame("lost", f"{who}: the newest of some step or name")
    return left_out


def newest(told: Sequence[Told]) -> dict[Any, Any]:
    """Return the last that is said of each step and name."""
    said: dict[Any, Any] = {}
    for one in told:
        event = orjson.loads(one.line)
        about = (one.producer, event["type"], event.get("step"))
        for name, value in _sayings(event):
            said[*about, name] = value
    return said


def _sayings(event: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    if event["type"] == "progress":
        yield "", (event["current"], event["total"])
    elif event["type"] == "metrics":
        yield from event["values"].items()


def _may_go(told: Told) -> bool:
    return orjson.loads(told.line)["type"] in COALESCED
