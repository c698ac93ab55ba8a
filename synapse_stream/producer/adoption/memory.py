"""What an adopter remembers from one look to the next, so that an idle host costs it little."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from synapse_stream.producer.adoption.search import bury, names_in
from synapse_stream.producer.spool.ended import Ended, forget_ended, read_ended
from synapse_stream.system.boot import boot_id
from synapse_stream.system.identity import pid_namespace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from synapse_stream.producer.adoption.search import Pair
    from synapse_stream.producer.spool.info import ProducerInfo
    from synapse_stream.settings import Settings
    from synapse_stream.system.identity import Identity

_LOOK_AGAIN_SECONDS = 60.0
_LOOK_SELDOM_SECONDS = 600.0
_SETTLED_SECONDS = 1.0
"""A directory that changed so lately may change again without its time showing it."""


@dataclass(slots=True)
class _Root:
    """What was in a root when it was looked at."""

    modified: int
    names: list[str]


@dataclass(slots=True)
class _Living:
    """A producer whose process was seen; only the process is looked at again for a while."""

    owner: Identity
    until: float


@dataclass(slots=True)
class Memory:
    """The spools that were seen, and when each is to be looked at again."""

    settings: Settings
    _roots: dict[Path, _Root] = field(default_factory=dict)
    _ended: dict[str, Ended] = field(default_factory=dict)
    _noted: dict[str, Ended] = field(default_factory=dict)
    _next: dict[str, float] = field(default_factory=dict)
    _living: dict[str, _Living] = field(default_factory=dict)
    _said: dict[str, str] = field(default_factory=dict)
    _asked_at: float = float("-inf")

    def due(self, pair: Pair, ask: Callable[[list[Ended]], list[Ended]]) -> list[str]:
        """Return the producers to look at now.

        Args:
            pair: where.
            ask: returns of some spools that the server had as a whole those that it still has.
        """
        names = self._scan(pair)
        now, clock = time.monotonic(), time.time()
        if now - self._asked_at >= _LOOK_AGAIN_SECONDS:
            self._asked_at = now
            self._remember_ended(pair, names)
            self._ended = {ended.producer: ended for ended in ask(list(self._ended.values()))}
        oldest = clock - self.settings.rewind_seconds
        kept = {name for name, ended in self._ended.items() if ended.time >= oldest}
        return sorted(name for name in names - kept if self._next.get(name, 0.0) <= now)

    def living(self, name: str) -> Identity | None:
        """Return whose process is to be looked at, and nothing else for now."""
        known = self._living.get(name)
        return known.owner if known is not None and time.monotonic() < known.until else None

    def note_living(self, name: str, info: ProducerInfo | None) -> None:
        """Note that a producer lives."""
        if info is None or info.owner.started is None:
            return
        if (info.owner.boot, info.owner.pid_namespace) == (boot_id(), pid_namespace()):
            self._living[name] = _Living(info.owner, time.monotonic() + _LOOK_AGAIN_SECONDS)

    def put_off(self, name: str, *, is_long: bool = False) -> None:
        """Look at it again after a while."""
        seconds = _LOOK_SELDOM_SECONDS if is_long else _LOOK_AGAIN_SECONDS
        self._next[name] = time.monotonic() + seconds

    def retry_soon(self, name: str) -> None:
        """Look at it again the next time."""
        self._next.pop(name, None)

    def note_ended(self, ended: Ended) -> bool:
        """Note that the server has all of a spool; False when that was known."""
        self._ended[ended.producer] = ended
        is_new = self._noted.get(ended.producer) != ended
        self._noted[ended.producer] = ended
        return is_new

    def is_news(self, name: str, reason: str) -> bool:
        """Tell whether a reason was not said of a spool before."""
        before, self._said[name] = self._said.get(name), reason
        return before != reason

    def _scan(self, pair: Pair) -> set[str]:
        names: set[str] = set()
        for root in pair.named().values():
            names.update(self._names_in(root))
        known: dict[str, Any]
        for known in (self._ended, self._noted, self._next, self._living, self._said):
            if len(known) > len(names):
                for name in known.keys() - names:
                    del known[name]
        return names

    def _names_in(self, root: Path) -> list[str]:
        try:
            modified = root.stat().st_mtime_ns
        except OSError:
            return []
        known = self._roots.get(root)
        if known is not None and known.modified == modified:
            return known.names
        bury(root)
        names = names_in(root)
        if time.time() - modified / 1e9 > _SETTLED_SECONDS:
            self._roots[root] = _Root(modified, names)
        return names

    def _remember_ended(self, pair: Pair, names: set[str]) -> None:
        if pair.cold is None:
            return
        noted = read_ended(pair.cold)
        forget_ended(pair.cold, noted, names)
        self._noted = {name: ended for name, ended in noted.items() if name in names}
        self._ended = self._noted | {n: e for n, e in self._ended.items() if n in names}
