"""A Python double of append.lua and of the few commands around it, and a link that faults strike.

`test_memory_server.py` runs the same commands against a real server and compares.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from redis.exceptions import ConnectionError, OutOfMemoryError, TimeoutError  # noqa: A004

if TYPE_CHECKING:
    from collections.abc import Sequence

_HASH_BYTES = 32

Entry = tuple[bytes, dict[bytes, bytes]]


@dataclass
class State:
    """What a server holds."""

    streams: dict[str, list[Entry]] = field(default_factory=dict)
    hashes: dict[str, dict[bytes, bytes]] = field(default_factory=dict)


class MemoryServer:
    """A server of one process: the commands that the log sends, with the replies of RESP2."""

    def __init__(self) -> None:
        self._state = State()
        self._last_id = 0

    def save(self) -> State:
        """Return a copy of all data, for `put_back`."""
        return copy.deepcopy(self._state)

    def put_back(self, saved: State) -> None:
        """Go back to older data; as with a real clock, later ids go on rising."""
        self._state = copy.deepcopy(saved)

    def execute_command(self, *words: Any, **_: Any) -> Any:
        """Run one command.

        Raises:
            NotImplementedError: the log does not send it.
        """
        match words:
            case ("INFO", *_):
                return {"redis_version": "7.2.4"}
            case ("EVAL", script, 1, key, *founding) if b"EXISTS" in script:
                names = (b"format", b"partitions", b"id")
                founded = dict(zip(names, map(_bytes, founding), strict=True))
                found = self._state.hashes.setdefault(key, founded)
                return [found[name] for name in names]
            case ("HMGET", key, *names):
                there = self._state.hashes.get(key, {})
                return [there.get(_bytes(name)) for name in names]
            case ("EVALSHA" | "EVAL", _, int(count), feed, *rest):
                return self._append_all(feed, rest[: count - 1], rest[count - 1 :])
            case ("HGET", key, name):
                return self._state.hashes.get(key, {}).get(_bytes(name))
            case ("XRANGE", key, start, "+", "COUNT", limit):
                begin = _id(_bytes(start).removeprefix(b"("))
                entries = self._state.streams.get(key, [])
                is_after = begin.__lt__ if start.startswith("(") else begin.__le__
                return [entry for entry in entries if is_after(_id(entry[0]))][:limit]
        msg = f"the double does not know {words[:1]}"
        raise NotImplementedError(msg)

    def pipeline(self, *, transaction: bool) -> Pipeline:
        """Return what runs several commands, one after the other."""
        return Pipeline(self)

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def _append_all(self, feed: str, keys: Sequence[str], words: Sequence[Any]) -> list[Any]:
        batches = zip(*[map(_bytes, words)] * 8, strict=True)
        of_each = zip(keys[::2], keys[1::2], batches, strict=True)
        return [self._append(job, known, feed, *batch) for job, known, batch in of_each]

    def _append(
        self,
        job: str,
        producers: str,
        feed: str,
        job_id: bytes,
        producer: bytes,
        first: bytes,
        last: bytes,
        link: bytes,
        salts: bytes,
        kind: bytes,
        data: bytes,
    ) -> list[Any]:
        known = self._state.hashes.setdefault(producers, {})
        state = known.get(producer, b"")
        newest = int(state[_HASH_BYTES:]) if state else -1
        if int(first) != newest + 1:
            return [2 if int(first) > newest else 0, state]
        self._last_id += 1
        entry = b"%d-0" % self._last_id
        pointer = {b"j": job_id, b"n": b"%d" % (int(last) - newest)}
        self._state.streams.setdefault(feed, []).append((entry, pointer))
        fields = {b"p": producer, b"n": first, b"m": last, b"h": link, b"s": salts, kind: data}
        self._state.streams.setdefault(job, []).append((entry, fields))
        known[producer] = link + last
        return [1, entry]


class LinkFault(StrEnum):
    """What may happen to one command on its way."""

    LOST_REQUEST = "lost request"
    LOST_REPLY = "lost reply"
    LATE_REQUEST = "late request"
    """The client gives up; `Link.deliver_late` lets it arrive at any later time."""
    REFUSED = "refused"
    KILLED_BEFORE = "killed before"
    """Whoever sends it dies just before it is executed."""
    KILLED_AFTER = "killed after"


class Killed(BaseException):
    """Stands for SIGKILL of the sender: nobody catches it."""


class Link:
    """A client of a MemoryServer; `faults` strike the next commands, one each, None is none."""

    def __init__(self, server: MemoryServer) -> None:
        self.server = server
        self.faults: list[LinkFault | None] = []
        self._late: list[tuple[Any, ...]] = []

    def execute_command(self, *words: Any, **_: Any) -> Any:
        """Run one command, or what the next fault makes of it."""
        fault = self.faults.pop(0) if self.faults else None
        match fault:
            case LinkFault.LOST_REQUEST:
                raise ConnectionError("lost request")
            case LinkFault.REFUSED:
                raise OutOfMemoryError("refused")
            case LinkFault.KILLED_BEFORE:
                raise Killed
            case LinkFault.LATE_REQUEST:
                self._late.append(words)
                raise TimeoutError("late request")
        reply = self.server.execute_command(*words)
        if fault is LinkFault.LOST_REPLY:
            raise ConnectionError("lost reply")
        if fault is LinkFault.KILLED_AFTER:
            raise Killed
        return reply

    def deliver_late(self) -> None:
        """Let the oldest request that is under way arrive now."""
        if self._late:
            self.server.execute_command(*self._late.pop(0))

    def pipeline(self, *, transaction: bool) -> Pipeline:
        """Return what runs several commands, one after the other."""
        return Pipeline(self)

    def close(self) -> None:
        """Do nothing: there is no connection."""


class Pipeline:
    """Commands that are sent together."""

    def __init__(self, link: Link | MemoryServer) -> None:
        self._link = link
        self._commands: list[tuple[Any, ...]] = []

    def execute_command(self, *words: Any) -> None:
        """Keep one for later."""
        self._commands.append(words)

    def execute(self) -> list[Any]:
        """Run them all."""
        return [self._link.execute_command(*words) for words in self._commands]


def _bytes(word: Any) -> bytes:
    return word if isinstance(word, bytes) else str(word).encode()


def _id(entry: bytes) -> tuple[int, ...]:
    return tuple(map(int, entry.split(b"-")))
