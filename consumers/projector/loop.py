"""The projector: drives one projection over the partitions that this consumer holds a lease on.

One turn: read the feeds behind the checkpoints, read the entries they point to, fold them, and
commit views, job documents, parked events, checkpoint and lease in one transaction, guarded by the
lease's epoch. A crash anywhere repeats a turn; the ledgers' high-water marks drop what is known.

Reading does not begin at the checkpoint but an overlap before it, at the start and after every
fault of the server: a server that lost its tail, and whose clock went back too, may have put new
entries there.
"""

from __future__ import annotations

import logging
import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from typing import TYPE_CHECKING

from consumers.errors import LeaseLost, StoreUnavailable
from consumers.outages import Outage, agree
from consumers.projector.ahead import ahead
from consumers.projector.aside import Aside
from consumers.projector.partition import Held
from consumers.projector.patience import patiently
from consumers.projector.portions import first_events
from consumers.projector.sharing import balance, rebuild_seconds
from consumers.views.archive.reader import StoredArchive
from synapse_stream.errors import ConfigError, LogUnavailable
from synapse_stream.log.pauses import pause_after
from synapse_stream.reading.job_reader import JobReader

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Iterator, Mapping
    from contextlib import AbstractContextManager

    from consumers.projector.portions import Portion
    from consumers.store.store import Store
    from consumers.views.port import View
    from synapse_stream.entries.entry import FeedPointer
    from synapse_stream.log.feeds import FeedLog
    from synapse_stream.settings import Settings

_logger = logging.getLogger("synapse_stream.consumers")

_POINTERS_A_TURN = 5_000  # the more, the more events of a job share a write
_BLOCK_MS = 1_000
_TIDY_SECONDS = 1.0
_LOOK_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0


class Projector:
    """One projection in one consumer process; `run` returns when `stop` is set."""

    def __init__(
        self,
        view: View,
        store: Store,
        open_log: Callable[[], FeedLog],
        settings: Settings,
        *,
        owner: str,
    ) -> None:
        """Drive `view`."""
        self._view = view
        self._store = store
        self._open_log = open_log
        self._settings = settings
        self._owner = owner
        self._archive = StoredArchive(store.databases)
        self._log: FeedLog | None = None
        self._held: dict[int, Held] = {}
        self._aside = Aside(view.name)
        self._balance_at = 0.0
        self._tidy_at = 0.0
        self._look_at = 0.0
        self._rebuilt_at = 0.0
        self._rebuilding: set[int] = set()
        self._failures = 0
        self._outage = Outage(_logger, f"{view.name} waits", f"{view.name} goes on")
        self._reader = ThreadPoolExecutor(1, "read-ahead")

    def run(self, stop: threading.Event) -> None:
        """Project until `stop` is set; then finish the commit at hand, give all leases back."""
        while not stop.is_set():
            try:
                self._turn(stop)
            except (LogUnavailable, StoreUnavailable, ConfigError) as error:
                stop.wait(self._fail(error))
            else:
                self._failures = 0
                self._outage.end()
        self._leave()

    def _turn(self, stop: threading.Event) -> None:
        log = self._connected()
        self._keep_in_touch(log)
        if not self._held:
            stop.wait(self._settings.lease_seconds / 3)
            return
        after = {partition: held.position for partition, held in self._held.items()}
        found = log.wait_feeds(after, limit=_POINTERS_A_TURN, block_ms=self._longest_wait_ms())
        with closing(self._portions(log, found)) as portions:
            for held, portion in portions:
                if stop.is_set():
                    return
                self._keep_in_touch(log)  # a long turn must not look like an abandoned lease
                if not self._holds(held):
                    continue
                with self._giving_up(held.lease.partition), self._patiently():
                    if self._view.is_installed and held.has_missed(log):
                        self._begin(held, log)
                        return
                    held.commit(portion)
        self._rebuild(log)
        self._tidy(log, found)

    def _portions(
        self, log: FeedLog, found: Mapping[int, list[FeedPointer]]
    ) -> Generator[tuple[Held, Portion], None, None]:
        """Read what was found; ahead of its commits if that gains time."""
        portions = self._read(log, found)
        return ahead(portions, self._reader) if self._view.reads_ahead else portions

    def _read(
        self, log: FeedLog, found: Mapping[int, list[FeedPointer]]
    ) -> Generator[tuple[Held, Portion], None, None]:
        for held in list(self._held.values()):
            pointers = first_events(found.get(held.lease.partition, []), self._view.events_a_turn)
            for portion in held.portions(log, pointers):
                yield held, portion
                if not self._holds(held):
                    break

    def _holds(self, held: Held) -> bool:
        """Tell whether its lease is ours still: one that was lost and taken again is another."""
        return self._held.get(held.lease.partition) is held

    def _keep_in_touch(self, log: FeedLog) -> None:
        """When it is time: renew and share leases, and see what others ask or have done."""
        if time.monotonic() >= self._balance_at:
            self._balance()
            log.check_same_server()
            lost = [held for held in self._held.values() if held.has_lost_feed(log)]
            for held in lost:
                self._begin(held, log)
            for partition in list(self._aside.held):
                self._hold(partition)
            self._retry()

    @contextmanager
    def _giving_up(self, partition: int) -> Iterator[None]:
        """Give the partition up when another has taken over."""
        try:
            yield
        except LeaseLost as error:
            _logger.warning("%s", error)
            del self._held[partition]

    def _patiently(self) -> AbstractContextManager[None]:
        """Keep all leases while a view of another package folds."""
        if not self._view.is_installed:
            return nullcontext()
        leases = [held.lease for held in self._held.values()]
        return patiently(self._store.leases, leases, self._settings.lease_seconds)

    def _longest_wait_ms(self) -> int:
        """Wait no longer than until the leases are to be renewed."""
        if self._rebuilding:
            return 1
        return max(1, min(_BLOCK_MS, int((self._balance_at - time.monotonic()) * 1000)))

    def _connected(self) -> FeedLog:
        """Connect, and begin to read an overlap before the checkpoints."""
        if self._log is None:
            log = self._log = self._open_log()
            agree(log)
            for held in list(self._held.values()):
                self._begin(held, log)
        return self._log

    def _begin(self, held: Held, log: FeedLog) -> None:
        """Begin to read a partition, or set it aside while what follows cannot be had."""
        partition = held.lease.partition
        if self._aside.begin(held, log):
            self._held[partition] = held
        else:
            self._held.pop(partition, None)

    def _balance(self) -> None:
        """Renew what is held, give back what exceeds the fair share, and take what is free."""
        self._balance_at = time.monotonic() + self._settings.lease_seconds / 3
        name, seconds = self._view.name, self._settings.lease_seconds
        members = self._store.leases.join(name, self._owner, seconds)
        for some in (self._held, self._aside.held):
            for partition, held in list(some.items()):
                if not self._store.leases.renew(held.lease, seconds):
                    _logger.warning("%s lost its lease on partition %d", name, partition)
                    del some[partition]
        mine = [*self._held, *self._aside.held]
        plan = balance(self._owner, members, mine, self._settings.partitions)
        for partition in plan.release:
            some = self._held if partition in self._held else self._aside.held
            self._store.leases.release(some.pop(partition).lease)
        self._take(plan.wanted)

    def _retry(self) -> None:
        """Try parked events again that an operator has marked."""
        if self._store.parked.list(self._view.name, only_marked=True, limit=1):
            for partition, held in list(self._held.items()):
                with self._giving_up(partition):
                    held.retry()

    def _rebuild(self, log: FeedLog) -> None:
        """Fold jobs anew, where it is asked for, for a while."""
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _LOOK_SECONDS
            self._rebuilding |= self._store.rebuilds.partitions_due(self._view.name)
            if self._view.is_record:
                self._rebuilding |= self._store.erasures.partitions_due()
        self._rebuilding &= self._held.keys()
        reader = JobReader(log, lambda: self._archive)
        seconds = rebuild_seconds(time.monotonic() - self._rebuilt_at)
        for partition in list(self._rebuilding):
            with self._giving_up(partition):
                part = seconds / len(self._rebuilding)
                with self._patiently():
                    if not self._held[partition].rebuild(reader, part):
                        self._rebuilding.discard(partition)
        self._rebuilt_at = time.monotonic()

    def _take(self, wanted: int) -> None:
        mine = self._held.keys() | self._aside.held.keys()
        free = [p for p in range(self._settings.partitions) if p not in mine]
        random.shuffle(free)  # so that consumers that start together do not race for the same ones
        for partition in free:
            if wanted == 0:
                return
            wanted -= self._hold(partition)

    def _hold(self, partition: int) -> bool:
        """Take the lease, or take it anew with where the checkpoint is now; False for another's."""
        lease = self._store.leases.acquire(
            self._view.name, partition, self._owner, self._settings.lease_seconds
        )
        if lease is None:
            self._aside.held.pop(partition, None)
            return False
        held = Held(self._view, self._store, lease, self._settings)
        self._begin(held, self._connected())
        self._rebuilding.add(partition)  # what is outdated is looked for
        return True

    def _tidy(self, log: FeedLog, found: Mapping[int, list[FeedPointer]]) -> None:
        """When nothing was found, and now and then: mirror positions, merge what is in pieces."""
        if found and time.monotonic() < self._tidy_at:
            return
        self._tidy_at = time.monotonic() + _TIDY_SECONDS
        is_behind = any(len(pointers) >= _POINTERS_A_TURN for pointers in found.values())
        for partition, held in list(self._held.items()):
            held.mirror(log)
            if not is_behind:
                with self._giving_up(partition):
                    held.compact()

    def _fail(self, error: LogUnavailable | StoreUnavailable | ConfigError) -> float:
        """Return the seconds to pause; every position is in doubt now, and what the store is."""
        if not isinstance(error, LogUnavailable):
            self._store.databases.reopen(self._view.name)
            self._balance_at = 0.0  # so that the next turn asks it
        if self._log is not None:
            self._log.close()
            self._log = None
        for held in self._held.values():
            held.forget()
        self._outage.tell(error)
        self._failures += 1
        return pause_after(self._failures, _LONGEST_PAUSE_SECONDS)

    def _leave(self) -> None:
        """Show the last positions while they are ours, and give the leases back."""
        try:
            for held in self._held.values():
                if self._log is not None:
                    held.mirror(self._log)
        except LogUnavailable as error:
            _logger.warning("%s leaves a consumer group behind: %s", self._view.name, error)
        try:
            for held in (*self._held.values(), *self._aside.held.values()):
                self._store.leases.release(held.lease)
            self._store.leases.leave(self._view.name, self._owner)
        except (StoreUnavailable, ConfigError) as error:
            _logger.warning("%s leaves its leases to lapse: %s", self._view.name, error)
        if self._log is not None:
            self._log.close()
        self._reader.shutdown()
