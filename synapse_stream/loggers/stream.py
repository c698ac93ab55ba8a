"""The logger that reports to the job's stream."""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from synapse_stream.errors import RunEnded
from synapse_stream.events.encoding import encode, encode_plainest_metrics
from synapse_stream.loggers.base import BaseLogger
from synapse_stream.loggers.copies import packed, unpacked
from synapse_stream.loggers.proving import identity
from synapse_stream.producer.producer import Producer
from synapse_stream.producer.spool.children import ChildNote, Family, note_child, told
from synapse_stream.producer.spool.roots import homes_of
from synapse_stream.redaction.body import compiled, redact_body
from synapse_stream.saying import voice
from synapse_stream.settings import Settings
from synapse_stream.system.descriptors import SET_ASIDE
from synapse_stream.system.forerunner import Forerunner
from synapse_stream.system.forks import CHILD_EXIT
from synapse_stream.system.identity import host_name
from synapse_stream.system.signals import is_plugins_own

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from synapse_stream.producer.shipping.port import Log

    Kinship = tuple[str | None, Family | None, Settings]

_MOST_NAMED = 1_000
_SHARE_OF_CHILDREN = 0.6  # of the time to wait at the end; the rest is for the end itself

_loggers: weakref.WeakSet[StreamLogger] = weakref.WeakSet()


class StreamLogger(BaseLogger):
    """Turns each report into an event of the job's stream, exactly once and in order.

    A report call encodes the event and copies it to the spool; it waits neither for the server nor
    for a disk. Thread-safe. A forked child, and whoever gets a pickled copy, goes on as a producer
    of its own; its `end_log` ends only its own part.

    Args:
        rank: number of this process among those that report; the run ends when rank 0 ends. None:
            it is a child of the run, which does not end it.
        parent: the producer that opened the run, if this is another one of its processes.
        kin: the logger of that, as this process inherited it.
        open_log: makes the connection to the log; by default from `settings`.
    """

    def __init__(
        self,
        job_id: str,
        settings: Settings | None = None,
        *,
        rank: int | None = 0,
        parent: str | None = None,
        kin: StreamLogger | None = None,
        open_log: Callable[[], Log] | None = None,
    ) -> None:
        super().__init__(job_id)
        self._producer: Producer | None = None
        settings = settings or Settings.load()
        kinship = (parent, None, settings) if kin is None else kin.kinship
        self._begin(job_id, settings, rank, kinship, open_log)
        self._producer = self._open_producer()
        self._join(self._producer)

    def _begin(
        self,
        job_id: str,
        settings: Settings,
        rank: int | None,
        kinship: Kinship,
        open_log: Callable[[], Log] | None,
    ) -> None:
        self._job_id = job_id
        self._settings = settings
        self.strict = settings.strict
        self._rules = compiled(settings.redact_rules)
        self._rank = rank
        self._parent, self._family, self._at_home = kinship
        self._open_log = open_log
        self._is_child = rank is None
        self._reopening = threading.RLock()
        self._last_word: dict[str, Any] | None = None
        self._forerunner: Forerunner | None = None
        self._resumed: dict[str, Any] = {}
        self._resumed_pid = 0
        self._producer = None
        _loggers.add(self)

    def record(self, kind: str, step: str | None, fields: dict[str, Any]) -> None:
        """Encode one event and hand it to the spool.

        Raises:
            RunEnded: the run has ended.
        """
        if kind == "end":
            self._last_word = fields
            return
        producer = self._producer or self._reopen()
        if kind == "run_started":
            fields = fields | identity(self._settings, self._job_id, producer.id)
        for body in encode(kind, step, fields):
            producer.append(kind, body if kind == "metrics" else redact_body(body, self._rules))

    def set_metrics(
        self, value: Mapping[str, Any], step: str | None = None, *, x: float | None = None
    ) -> None:
        """Record numbers by name; what nearly every call passes takes a shorter way."""
        at = self.current_step if step is None else step
        body = encode_plainest_metrics(value, at) if x is None else None
        if body is None or self._is_over or self._producer is None:
            super().set_metrics(value, step, x=x)
        else:
            try:
                self._producer.append("metrics", body)
            except RunEnded:
                raise
            except BaseException as failure:
                if is_plugins_own(failure):
                    raise
                self.complain(failure)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything accepted so far is in the stream; False after `timeout` seconds."""
        return self._producer is None or self._producer.flush(timeout)

    @SET_ASIDE.lent()
    def close(self) -> None:
        """Record the last event and wait a bounded time until the server has everything.

        What dead children of the run left on this host is sent within that time, too. Without an
        `end` before, the producer leaves and the run goes on, and where nothing was reported,
        nothing is left. Calling it again does nothing.
        """
        CHILD_EXIT.forget(self)
        producer = self._producer
        if producer is None or (self._last_word is None and producer.discard()):
            return
        began = time.monotonic()
        found = self._settle_children(producer)
        last_word = {"error": None, "result": None, **(self._last_word or {}), "rank": self._rank}
        if self._is_child or self._last_word is None:
            last_word["status"] = None
        (body,) = encode("end", None, last_word | found)
        rest = self._settings.exit_wait_seconds - (time.monotonic() - began)
        producer.close("end", redact_body(body, self._rules), max(0.0, rest))

    def _settle_children(self, producer: Producer) -> dict[str, Any]:
        """Send what dead children left; return what the end says of all that reported here."""
        if self._is_child:
            return {}
        found: list[ChildNote] = []
        try:
            found = producer.journal.children()
            if found:
                producer.adopt_children(_SHARE_OF_CHILDREN * self._settings.exit_wait_seconds)
                found = producer.journal.children()
        except Exception:  # noqa: BLE001 - what is left is still a spool
            voice.fault("job %s: looking after its children failed", self._job_id)
        return told(found, _MOST_NAMED)

    def leave_kept(self) -> None:
        """End this part of the run; a later report begins another one."""
        self.close()
        self._producer = None

    def wait_ready(self, timeout: float) -> None:
        """Wait until the server was reached.

        Raises:
            ConfigError: the server holds a deployment that is not the one of our settings.
            LogUnavailable: it did not answer within `timeout` seconds.
        """
        if self._producer is not None:
            self._producer.wait_ready(timeout)

    @property
    def rank(self) -> int | None:
        """Number of this process among those of the run; None: it is a child of it."""
        return self._rank

    @property
    def kinship(self) -> Kinship:
        """The producer that opened the run, and where children tell it of themselves."""
        return self._parent, self._family, self._at_home

    def opener(self, settings: Settings) -> int | None:
        """Return the process that opened the run, if it lives, and this one was forked from it."""
        mine, found = self._settings, self._forerunner if self._is_child else None
        is_same = (mine.server, mine.namespace) == (settings.server, settings.namespace)
        return found.pid if found is not None and is_same and found.is_alive() else None

    def leave_to_parent(self) -> None:
        """Start anew in a forked child at the next report: spool and threads are the parent's."""
        super().leave_to_parent()
        self._reopening = threading.RLock()
        self._parent = self._parent_of_children
        if self._producer is not None and not self._is_child:
            self._family = self._producer.journal.family
            self._resumed = {
                "producer": self._producer.id,
                "last": self._producer.last,
                "rank": self._rank,
                "reason": "the process went on in the background",
            }
        self._is_child = True
        self._rank = None
        self._producer = None

    def to_copy(self) -> tuple[type[Any], dict[str, Any]]:
        """Return what the copy in another process is made of: it is a child of the run."""
        own = {"open_log": self._open_log} if self._open_log is not None else {}
        return type(self), {
            "job_id": self._job_id,
            "settings": self._settings,
            "parent": self._parent_of_children,
            "is_over": self._is_over,
            "own": packed(own, f"job {self._job_id}: {self.name}"),
        }

    def become_copy(self, parts: dict[str, Any]) -> None:
        """Be a child of the run, which is a producer from its first report on."""
        BaseLogger.__init__(self, parts["job_id"])
        self._ended = self._is_over = parts["is_over"]
        own = unpacked(parts["own"], f"job {self.job_id}: {self.name}").get("open_log")
        home, parent = parts["settings"], parts["parent"]
        # Now: it may be another user when it reports.
        family = None if parent is None else Family.of(homes_of(home, parent))
        self._begin(parts["job_id"], home, None, (parent, family, home), own)

    @property
    def _parent_of_children(self) -> str | None:
        """The producer that opened the run, to whom all its children belong, and theirs."""
        if self._is_child or self._producer is None:
            return self._parent
        return self._producer.id

    def _open_producer(self) -> Producer:
        if self._forerunner is not None and self._forerunner.is_succeeded():
            self._resumed_pid = self._forerunner.pid
            self._is_child, self._rank, self._parent = False, self._resumed["rank"], None
        self._forerunner = None if self._is_child else Forerunner.of_this_process()
        producer = Producer(
            self._job_id, self._settings, self._open_log, rank=self._rank, parent=self._parent
        )
        CHILD_EXIT.before(self, self.close)
        return producer

    @SET_ASIDE.lent()
    def _reopen(self) -> Producer:
        with self._reopening:
            if self._producer is None:
                producer = self._open_producer()
                if self._producer is not None:  # a signal handler's report was faster
                    producer.discard()  # type: ignore[unreachable]
                    return self._producer
                self._join(producer)
                self._producer = producer
            return self._producer

    def _join(self, producer: Producer) -> None:
        """Say whose child this is, in the stream and where the parent finds it at its end."""
        pid, more = os.getpid(), {"parent": self._parent} if self._is_child else self._resumed
        if more:
            kind = "joined" if self._is_child else "resumed"
            who = identity(self._settings, self._job_id, producer.id)
            for body in encode(kind, None, {"host": host_name(), "pid": pid, **more, **who}):
                producer.append(kind, body)
        if self._resumed and not self._is_child:
            other = ChildNote(self._resumed["producer"], self._resumed_pid)
            note_child(homes_of(self._settings, producer.id), other)  # to be sent before the end
        if self._parent is not None:
            child = ChildNote(producer.id, pid)
            is_near = note_child(homes_of(self._at_home, self._parent), child)
            if self._family is not None:
                self._family.note(child._replace(is_far=not is_near))


def inherited(job_id: str, settings: Settings) -> StreamLogger | None:
    """Return the logger of an open run that this process was forked with; None: there is none."""
    for logger in list(_loggers):
        if logger.job_id == job_id and logger.opener(settings) is not None:
            return logger
    return None


@atexit.register
def _close_all() -> None:
    for logger in list(_loggers):
        logger.close()
