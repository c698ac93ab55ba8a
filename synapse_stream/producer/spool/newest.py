"""Of reports that were given up, those that may yet be recorded: each is the newest of something.

A progress report tells of its step, a report of metrics of each name under its step. One that is
the newest of nothing any more is given up for good.
"""

from __future__ import annotations

from itertools import count
from typing import NamedTuple

import orjson

Topic = tuple[str, str | None, str]

_MOST_BYTES = 1024 * 1024


class _Kept(NamedTuple):
    kind: str
    body: bytes
    newest_of: set[Topic]


class Newest:
    """Reports in the order in which they came, at most a megabyte of them.

    Whatever a signal handler reports while a report is taken, nothing raises; at worst one is kept
    that is not new any more.
    """

    def __init__(self) -> None:
        self._kept: dict[int, _Kept] = {}
        self._holders: dict[Topic, int] = {}
        self._numbers = count()
        self._size = 0

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self._kept)

    def keep(self, kind: str, body: bytes) -> list[str]:
        """Keep a report; return the types of those that are given up for it, or its own."""
        topics = _topics(kind, body)
        given_up = self._outdate(topics)
        if not topics:
            return [*given_up, kind]
        number = next(self._numbers)
        self._kept[number] = _Kept(kind, body, set(topics))
        self._holders.update(dict.fromkeys(topics, number))
        self._size += len(body)
        while self._size > _MOST_BYTES and self._kept:
            given_up += self._give_up(next(iter(self._kept)))
        return given_up

    def outdate(self, kind: str, body: bytes) -> list[str]:
        """Take note of a report that was recorded; return the types of those given up for it."""
        return self._outdate(_topics(kind, body)) if self._kept else []

    def take(self) -> list[tuple[str, bytes]]:
        """Hand all over."""
        kept = self._kept
        self._kept, self._holders, self._size = {}, {}, 0
        return [(one.kind, one.body) for one in kept.values()]

    def _outdate(self, topics: list[Topic]) -> list[str]:
        given_up = []
        for topic in topics:
            number = self._holders.pop(topic, -1)
            if number in self._kept:
                self._kept[number].newest_of.discard(topic)
                if not self._kept[number].newest_of:
                    given_up += self._give_up(number)
        return given_up

    def _give_up(self, number: int) -> list[str]:
        one = self._kept.pop(number)
        self._size -= len(one.body)
        for topic in one.newest_of:
            self._holders.pop(topic, None)
        return [one.kind]


def _topics(kind: str, body: bytes) -> list[Topic]:
    event = orjson.loads(b"{" + body)
    return [(kind, event.get("step"), name) for name in event.get("values", ("",))]
