"""The strict look at a job's stream: is all there that was accepted, once, in order, unchanged?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from synapse_stream.entries.batch import GENESIS
from synapse_stream.entries.entry import FeedPointer
from synapse_stream.entries.position import BEGINNING, Position
from tests.support.scenes import calls

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from synapse_stream.entries.batch import Batch
    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.log.event_log import EventLog
    from tests.support.scenes.plugin import Role
    from tests.support.scenes.witness import Witness

_LAST_WORDS = {"end", "producer_lost"}


@dataclass
class Story:
    """What the stream has of one producer."""

    link: bytes = GENESIS
    following: int = 0
    types: Counter[str] = field(default_factory=Counter)
    last: dict[str, Any] = field(default_factory=dict)
    """Its last event."""
    ranges: list[range] = field(default_factory=list)
    """Numbers that a `loss` event stands for."""
    shed: Counter[str] = field(default_factory=Counter)
    """Events that were given up before they had a number, by type."""
    is_uncounted: bool = False
    """Whether it says that an unknown number is missing."""


@dataclass
class Tally:
    """What an audit has found."""

    events: int = 0
    """Calls that had returned."""
    lost: int = 0
    twice: int = 0
    disordered: int = 0
    unknown: int = 0
    """Entries and events that nobody reported, or not so."""
    failed: int = 0
    """Living runs that were shown FAILED, or well ended ones."""
    unsaid: int = 0
    """Calls that are lost without a word."""
    problems: list[str] = field(default_factory=list)
    """The first of what was found, in words."""
    stories: dict[str, Story] = field(default_factory=dict)
    missing: set[tuple[str, int]] = field(default_factory=set)
    """Calls that had returned and are not there."""

    def blame(self, what: str, problem: str, count: int = 1) -> None:
        """Count a finding and keep its words."""
        setattr(self, what, getattr(self, what) + count)
        if len(self.problems) < 10:
            self.problems.append(f"{what}: {problem}")

    @property
    def is_clean(self) -> bool:
        """True when nothing was found."""
        return not self.problems

    def add(self, other: Tally) -> None:
        """Add the findings of another job."""
        for name in ("events", "lost", "twice", "disordered", "unknown", "failed", "unsaid"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.problems += other.problems


class Audit:
    """Reads one job's stream and compares it with what its plugins' witnesses saw.

    Args:
        may_lose: loss events are allowed; what they stand for is left to the caller.
        by_kind: a voice's calls are in order only within each type: what was shed under pressure
            may be recorded later.
    """

    def __init__(
        self,
        log: EventLog,
        job_id: str,
        plugins: Iterable[tuple[Role, Witness]],
        *,
        may_lose: bool = False,
        by_kind: bool = False,
    ) -> None:
        self._log = log
        self._job_id = job_id
        self._plugins = list(plugins)
        self._roles = {voice: role for role, _ in self._plugins for voice in role.voices}
        self._may_lose = may_lose
        self._by_kind = by_kind
        self._seen: set[tuple[str, int]] = set()
        self._newest: dict[tuple[str, str], int] = {}
        self._producers: dict[str, str] = {}
        self._heirs: dict[str, str] = {}
        """Who goes on for whom."""
        self._sealed: dict[str, int] = {}
        """Last number of those whose name was taken: what lies behind is not theirs."""
        self.tally = Tally()

    def run(self) -> Tally:
        """Read and compare all of it."""
        pointers: list[FeedPointer] = []
        entries = list(read_all(self._log, self._job_id))
        self._find_heirs(entries)
        for recorded in entries:
            entry, batch = (recorded.ms, recorded.seq), recorded.batch
            if batch is None:
                self.tally.blame("unknown", f"entry {entry}: {recorded.error}")
            else:
                count = batch.last - batch.first + 1
                pointers.append(FeedPointer(entry, self._job_id, count))
                self._take_batch(batch)
        self._compare_feed(pointers)
        for producer, story in self.tally.stories.items():
            self._judge_end(producer, story)
        for role, witness in self._plugins:
            self._compare_calls(role, witness)
        return self.tally

    def _find_heirs(self, entries: list[RecordedBatch]) -> None:
        for batch in (recorded.batch for recorded in entries if recorded.batch):
            for line in batch.lines():
                if b'"type":"resumed"' in line:
                    event = orjson.loads(line)
                    self._heirs[batch.producer] = event["producer"]
                    self._sealed[event["producer"]] = event["last"]

    def _take_batch(self, batch: Batch) -> None:
        story = self.tally.stories.setdefault(batch.producer, Story())
        where = f"{batch.producer} {batch.first}..{batch.last}"
        if batch.first != story.following:
            self.tally.blame("disordered", f"batch {where} where {story.following} follows")
        if not batch.is_linked_to(story.link):
            self.tally.blame("unknown", f"batch {where} breaks the hash chain")
        number = batch.first
        for line in batch.lines():
            event = orjson.loads(line)
            if event["type"] == "loss" and event["first"] is not None:
                story.ranges.append(range(event["first"], event["last"] + 1))
                if event["first"] != number:
                    self.tally.blame("unknown", f"{event} where {number} follows")
                number = event["last"]
            if event["seq"] != number:
                self.tally.blame("disordered", f"event {event['seq']} where {number} follows")
            self._take_event(batch.producer, story, event)
            number += 1
        if number != batch.last + 1:
            self.tally.blame("unknown", f"batch {where} ends with {number - 1}")
        story.link, story.following = batch.hash, batch.last + 1

    def _take_event(self, producer: str, story: Story, event: dict[str, Any]) -> None:
        if event["seq"] > self._sealed.get(producer, event["seq"]):
            return  # somebody else's, under its name
        if story.last.get("type") in _LAST_WORDS:
            self.tally.blame("unknown", f"{producer} goes on behind its last word: {event}")
        story.last = event
        kind = event["type"]
        story.types[kind] += 1
        if kind == "loss":
            if event["first"] is None:
                story.shed.update(event["counts"])
            story.is_uncounted |= event.get("uncounted") is True
            if not self._may_lose:
                self.tally.blame("unknown", f"{producer} tells of a loss: {event}")
        elif kind in calls.KINDS:
            self._take_call(producer, event)

    def _take_call(self, producer: str, event: dict[str, Any]) -> None:
        content = {name: value for name, value in event.items() if name not in {"seq", "time"}}
        try:
            call = calls.caller(event)
            assert call is not None
            role = self._roles[call[0]]
        except (KeyError, ValueError):
            self.tally.blame("unknown", f"nobody reported {event}"[:300])
            return
        voice, number = call
        if content != calls.expected(voice, number, role.weight):
            self.tally.blame("unknown", f"call {call} is not what was reported: {event}"[:300])
        if self._producers.setdefault(voice, producer) not in {producer, self._heirs.get(producer)}:
            self.tally.blame("disordered", f"voice {voice} in two producers")
        self._producers[voice] = producer
        newest = self._newest.get(line := (voice, event["type"] if self._by_kind else ""), -1)
        if call in self._seen:
            self.tally.blame("twice", f"call {call}")
        elif number < newest:
            self.tally.blame("disordered", f"call {call} behind number {newest}")
        self._seen.add(call)
        self._newest[line] = max(number, newest)

    def _compare_feed(self, expected: list[FeedPointer]) -> None:
        if expected != sorted(set(expected)):
            self.tally.blame("disordered", "entry ids do not rise")
        found: list[FeedPointer] = []
        partition = self._log.keys.partition(self._job_id)
        after = (0, 0)
        while page := self._log.read_feed(partition, after):
            found += [pointer for pointer in page if pointer.job_id == self._job_id]
            after = page[-1].entry
        if found != expected:
            self.tally.blame("unknown", "the feed does not point to each entry once, in order")

    def _judge_end(self, producer: str, story: Story) -> None:
        if producer in self._sealed:
            return
        last = story.last
        told = {"end": "count", "producer_lost": "last"}.get(last.get("type", ""))
        if told is None:
            self.tally.blame("lost", f"the last word of {producer}; it ends with {last}"[:300])
        elif last[told] != last["seq"] + (1 if told == "count" else -1):
            self.tally.blame("unknown", f"a wrong last word: {last}")

    def _compare_calls(self, role: Role, witness: Witness) -> None:
        for index, voice in enumerate(role.voices):
            returned, begun = witness.returned(index), witness.begun(index)
            self.tally.events += returned
            missing = {(voice, n) for n in range(returned)} - self._seen
            self.tally.missing |= missing
            if missing and not self._may_lose:
                which = sorted(missing)[:3]
                self.tally.blame("lost", f"{len(missing)} calls, {which} …", len(missing))
            newest = max((n for name, n in self._seen if name == voice), default=-1)
            if newest >= begun:
                self.tally.blame("unknown", f"call {(voice, newest)} had not begun")


def read_all(log: EventLog, job_id: str) -> Iterator[RecordedBatch]:
    """Yield every entry of a job's stream."""
    position = BEGINNING
    while page := log.read_after(job_id, position, limit=100):
        yield from page if position == BEGINNING else page[1:]
        if len(page) == 1 and position != BEGINNING:
            return
        position = Position(page[-1].ms, page[-1].seq)
