"""A consumer process of the fault plan: `python -m consumers`, struck at a named point.

The process that runs `work` was forked from one that has imported all; then it is the very program,
with a store and a log that strike it down, or stop it, around the calls of the projector.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Engine, event
from typing_extensions import override

from consumers import __main__ as program
from consumers.store.leases import Leases
from consumers.store.store import Store
from synapse_stream.log.feeds import FeedLog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from consumers.store.databases import Databases
    from consumers.store.lease import Lease

Done = TypeVar("Done")


class Point(StrEnum):
    """Where in its work a projector is struck."""

    POINTERS_READ = "pointers read"
    ENTRIES_READ = "entries read"
    APPLIED = "applied"
    WRITTEN = "written, not committed"
    COMMITTED = "committed"
    COMPACTING = "compacting"
    TAKING_OVER = "taking over"
    BEGINNING = "beginning behind the checkpoint"


@dataclass(frozen=True)
class Role:
    """What a consumer process is to be."""

    projection: str
    environ: dict[str, str]
    log_path: Path
    point: Point | None = None
    nth: int = 1
    """At which passing of the point it is struck."""
    number: signal.Signals = signal.SIGKILL
    busy_seconds: float | None = None
    """How long SQLite waits for a lock; None as in production."""


@dataclass
class Blow:
    """Strikes the process at the n-th passing of a point."""

    role: Role
    passed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def at(self, point: Point) -> None:
        """Pass a point."""
        if point is not self.role.point:
            return
        with self.lock:
            self.passed += 1
            if self.passed == self.role.nth:
                # to this very thread, which else might go on for a moment
                signal.pthread_kill(threading.get_ident(), self.role.number)


class StruckLeases(Leases):
    """The leases."""

    def __init__(self, databases: Databases, blow: Blow) -> None:
        super().__init__(databases)
        self._blow = blow

    @override
    def acquire(self, *arguments: Any, **options: Any) -> Lease | None:
        lease = super().acquire(*arguments, **options)
        if lease is not None:
            self._blow.at(Point.TAKING_OVER)
        return lease


class StruckStore(Store):
    """The store; `doing` tells a thread's transactions apart."""

    def __init__(self, databases: Databases, *, blow: Blow) -> None:
        super().__init__(databases)
        self._blow = blow
        self.leases = StruckLeases(databases, blow)
        self._doing = threading.local()
        event.listen(Engine, "commit", self._before_commit)

    @override
    def commit(self, *arguments: Any, **options: Any) -> None:
        self._blow.at(Point.APPLIED)
        self._during(Point.WRITTEN, lambda: super(StruckStore, self).commit(*arguments, **options))
        self._blow.at(Point.COMMITTED)

    @override
    def compact(self, lease: Lease, **options: Any) -> int:
        return self._during(
            Point.COMPACTING, lambda: super(StruckStore, self).compact(lease, **options)
        )

    def _during(self, point: Point, call: Callable[[], Done]) -> Done:
        self._doing.point = point
        try:
            return call()
        finally:
            self._doing.point = None

    def _before_commit(self, _connection: object) -> None:
        point = getattr(self._doing, "point", None)
        if point is not None:
            self._blow.at(point)


class StruckLog(FeedLog):
    """The log."""

    blow: Blow

    @override
    def wait_feeds(self, *arguments: Any, **options: Any) -> Any:
        found = super().wait_feeds(*arguments, **options)
        if found:
            self.blow.at(Point.POINTERS_READ)
        return found

    @override
    def read_pointed(self, *arguments: Any, **options: Any) -> Any:
        found = super().read_pointed(*arguments, **options)
        self.blow.at(Point.ENTRIES_READ)
        return found

    @override
    def check_feed(self, *arguments: Any) -> Any:
        found = super().check_feed(*arguments)
        self.blow.at(Point.BEGINNING)
        return found


def work(role: Role) -> None:
    """Be the consumer program."""
    with role.log_path.open("ab") as file:
        os.dup2(file.fileno(), 2)
    os.environ.update(role.environ)
    if role.busy_seconds is not None:
        from consumers.store import engine

        engine._BUSY_SECONDS = role.busy_seconds
    replaced: Any = program
    blow = StruckLog.blow = Blow(role)
    replaced.FeedLog = StruckLog
    replaced.Store = partial(StruckStore, blow=blow)
    sys.exit(program.main([role.projection]))
