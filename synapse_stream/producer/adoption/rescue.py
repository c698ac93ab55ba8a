"""Sending what is left of one spool, and saying what is not."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from synapse_stream.errors import ConfigError, LogUnavailable
from synapse_stream.producer.adoption.orphan import Orphan
from synapse_stream.producer.adoption.verdict import Kind
from synapse_stream.producer.shipping.heir import Origin
from synapse_stream.producer.shipping.journal import Journal
from synapse_stream.producer.shipping.shipper import Shipper
from synapse_stream.producer.spool.children import children, told
from synapse_stream.producer.spool.ended import Ended
from synapse_stream.producer.spool.notes import DEPLOYMENT, NAMES
from synapse_stream.producer.spool.sent import SENT

if TYPE_CHECKING:
    from synapse_stream.producer.adoption.case import Case
    from synapse_stream.producer.shipping.line import Line
    from synapse_stream.producer.shipping.port import Log
    from synapse_stream.producer.spool.info import ProducerInfo
    from synapse_stream.settings import Settings

WATCHED = "watched"
"""File of who looks at a spool that is not proved dead: what the server had, and since when."""

_MOST_CHILDREN = 1000
_BEATS = 4
_NOT_ON_DISK = "the machine was started anew since: what was not on its disk is gone"


@dataclass(frozen=True, slots=True)
class Adoption:
    """What became of one spool whose process is gone, or may be."""

    job_id: str
    producer: str
    place: str
    sent: int
    """Events that were sent now."""
    waiting: int
    """Events that still wait, as far as they can be counted."""
    is_lost: bool
    """True when the process had died without ending its run, and this was recorded now."""
    trouble: str | None
    """Why events still wait."""
    host: str = ""
    """Where its process ran."""
    pid: int = 0
    user: str = ""
    """Whose it is."""
    age_seconds: float | None = None
    """Time since the last sign of its process."""


class Rescue:
    """The way of one dead process's events into the log of one deployment."""

    def __init__(self, case: Case, info: ProducerInfo, settings: Settings) -> None:
        self.case = case
        """It, opened and judged."""
        self.info = info
        """Whose it is."""
        self._settings = settings
        self._is_lost = False
        self._homes = list(case.homes.values())
        self.orphan = Orphan(info, self._homes)
        """What is left."""
        self.journal = self._open_journal(writes=False)
        """What its process, and who came before us, noted."""

    @property
    def doubt(self) -> str | None:
        """What may be missing without a trace."""
        verdict = self.case.verdict
        if verdict.kind in {Kind.UNPROVED, Kind.PART}:
            return f"taken over from {self.info.owner.host} unproved: {verdict.reason}"
        return _NOT_ON_DISK if verdict.kind is Kind.REST else None

    @property
    def has_all(self) -> bool:
        """True when what the server lacks is here, to the last word, whatever is elsewhere."""
        return self.orphan.has_all_from(self._acknowledged + 1)

    @property
    def is_kept_for_nothing(self) -> bool:
        """True when a server acknowledged it to the last word so long ago that none asks for it."""
        orphan, settings = self.orphan, self._settings
        longest = max(settings.rewind_seconds, settings.adopt_unproved_seconds)
        is_dead = self.case.verdict.kind is not Kind.UNPROVED
        is_acknowledged = orphan.is_closed and orphan.last <= self._acknowledged
        return is_dead and is_acknowledged and orphan.age_seconds > longest

    def send(self, line: Line, *, is_sure: bool) -> Adoption | None:
        """Send everything, and declare the producer lost if it had not ended.

        Without being sure of its death, not while the server has all that is here: somebody may go
        on with it elsewhere. None when there never was anything.
        """
        info, orphan = self.info, self.orphan
        journal = self.journal = self._open_journal(writes=True)
        shipper = Shipper(
            orphan,
            info.producer,
            line,
            origin=Origin(info.owner.host, info.owner.pid, info.rank),
            heirs=journal.names,
            notes=journal,
        )
        progress = journal.progress
        shipper.trust(*((progress.acknowledged, progress.in_flight) if journal.is_known else ()))
        trouble, known = None, orphan.last
        try:
            known = shipper.find_place()
            if self._is_empty(known):
                orphan.remove()
                return None
            if not is_sure and not orphan.is_closed and not self._is_quiet(known):
                return self.report(self.case.verdict.reason)
            if self._has_ended_elsewhere(known, line.connected(), shipper.producer):
                known = max(known, orphan.last)
                orphan.acknowledge(known)
            else:
                orphan.catch_up(known)
                self._ship(shipper)
        except (LogUnavailable, ConfigError) as error:
            line.close()
            trouble = str(error)
        except OSError as error:
            trouble = f"the spool cannot be read or written: {error}"
        finally:
            journal.close()
            self._hand_back()
        reached = max(known, orphan.acknowledged)
        sent = reached - known if orphan.acknowledged >= 0 else 0
        return self._adoption(sent, self._left(), trouble, is_lost=self._is_lost)

    def _ship(self, shipper: Shipper) -> None:
        shipper.ship_all()
        if not self.orphan.is_closed:  # after the rest, because there may be no room to write it
            self._declare_lost()
            self._is_lost = True
            shipper.ship_all()

    def look(self, log: Log) -> Adoption:
        """Say what the server lacks."""
        (head,) = log.heads([(self.info.job_id, self._name)])
        self.orphan.acknowledge(head.last + self._shift)
        return self.report(None)

    def report(self, trouble: str | None) -> Adoption:
        """Say what waits, and why it is not sent."""
        return self._adoption(0, self._left(), trouble, is_lost=False)

    def claim(self, deployment: str) -> None:
        """Note that a deployment has everything."""
        self.journal.claim(deployment)
        self._hand_back()

    def shrink(self) -> None:
        """Give back shared memory that was not filled, where nobody can go on filling it."""
        if self.case.verdict.kind is not Kind.UNPROVED:
            self.orphan.shrink()

    def ended(self, deployment: str) -> Ended:
        """Return what to remember of it, when the server has everything."""
        number, link = self.journal.progress.acknowledged
        written = time.time() - self.orphan.age_seconds
        return Ended(
            self.info.producer,
            self.info.job_id,
            self._name,
            number,
            link.hex(),
            deployment,
            written,
        )

    def _hand_back(self) -> None:
        """Leave what we wrote to the spool's owner."""
        for home in self._homes:
            for name in (SENT, DEPLOYMENT, NAMES):
                home.give(name)

    @property
    def _name(self) -> str:
        """Under which the events go now."""
        names = self.journal.names
        return names[-1].producer if names else self.info.producer

    @property
    def _shift(self) -> int:
        """From numbers under that name to those in the spool."""
        names = self.journal.names
        return names[-1].start - 1 if names else 0

    def _open_journal(self, *, writes: bool) -> Journal:
        return Journal([home.anchor for home in self._homes], writes=writes)

    def _is_empty(self, known: int) -> bool:
        """Tell whether its process was killed before it accepted anything."""
        is_whole = self.case.verdict.kind is Kind.WHOLE
        return is_whole and known < 0 and self.orphan.last < 0

    def _is_quiet(self, known: int) -> bool:
        """Tell whether what the server has is less than is here, or has not grown for long."""
        if known < 0 or known < self.orphan.last:
            return True
        now = time.time()
        home = self._homes[-1]
        try:
            number, since = orjson.loads(home.read(WATCHED))
        except (OSError, ValueError, TypeError):
            number, since = None, now
        if number != known:
            home.write(WATCHED, orjson.dumps([known, now]))
            return False
        settings = self._settings
        longest = max(settings.adopt_unproved_seconds, _BEATS * settings.heartbeat_seconds)
        return bool(now - since > longest)

    def _has_ended_elsewhere(self, known: int, log: Log, producer: str) -> bool:
        """Tell whether the server has a last word that is not here.

        A process without room for its last events keeps them in its memory and sends them from
        there. What is here then ends before, or with a line that stands for them.
        """
        orphan = self.orphan
        is_last_word_here = orphan.is_closed and not orphan.is_overtaken(known)
        if known < 0 or is_last_word_here or orphan.has_as_it_was(known):
            return False
        is_closed = False
        for batch in log.written(self.info.job_id, producer):
            is_closed = batch.is_last_word
        return is_closed

    def _declare_lost(self) -> None:
        orphan, owner = self.orphan, self.info.owner
        number = max(orphan.last, orphan.acknowledged) + 1
        events: list[tuple[str, dict[str, Any]]] = []
        if self.doubt is not None:
            nothing: dict[str, Any] = {"counts": {}, "first": None, "last": None}
            events.append(("loss", {**nothing, "reason": self.doubt, "uncounted": True}))
        born = told(children(home.anchor for home in self._homes), _MOST_CHILDREN)
        lost = {
            "host": owner.host,
            "pid": owner.pid,
            "rank": self.info.rank,
            "last": number + len(events) - 1,
            "reason": "the process ended without ending its run",
        }
        orphan.close(number, *events, ("producer_lost", lost | born))

    def _left(self) -> int:
        orphan = self.orphan
        known = orphan.acknowledged if orphan.acknowledged >= 0 else self._acknowledged
        return max(0, orphan.last - known)

    @property
    def _acknowledged(self) -> int:
        """Number in the spool of the last event of which it is noted that the server has it."""
        return self.journal.progress.acknowledged.number + self._shift

    def _adoption(self, sent: int, waiting: int, trouble: str | None, *, is_lost: bool) -> Adoption:
        info = self.info
        return Adoption(
            info.job_id, info.producer, self.orphan.place, sent, waiting, is_lost, trouble,
            info.owner.host, info.owner.pid, self.case.owner, self.orphan.age_seconds,
        )  # fmt: skip
