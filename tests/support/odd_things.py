"""What a bad neighbour may leave in the server: entries, pointers and keys, none of them ours."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.entries.keys import Keys

BOMB = zstandard.compress(b"\n" * (60 << 20))
LARGEST_ID = 2**64 - 1
_YEAR_MS = 365 * 86_400_000


class Place(NamedTuple):
    """Where something odd is put: beside `honest`, which is in the same partition as `odd`."""

    client: Any  # redis-py's types say too little
    keys: Keys
    honest: str
    odd: str

    @property
    def partition(self) -> int:
        return self.keys.partition(self.odd)

    @property
    def feed(self) -> str:
        return self.keys.feed(self.partition)

    def point(self, job: str | bytes, entry: str = "*", count: Any = 1) -> None:
        """Add a pointer to the feed."""
        self.client.xadd(self.feed, {"j": job, "n": count}, id=entry)

    def enter(self, job: str, fields: dict[Any, Any], entry: str = "*") -> None:
        """Add an entry to a job's stream, with its pointer."""
        made = self.client.xadd(self.keys.job(job), fields, id=entry).decode()
        self.point(job, made)

    def batch(self, **fields: Any) -> dict[str, Any]:
        """Return the fields of a batch of one event, some of them others."""
        return {"p": "odd", "n": 0, "m": 0, "h": bytes(32), "d": b"{}\n"} | fields


def _z(frame: bytes) -> dict[str, Any]:
    return {"p": "odd", "n": 0, "m": 0, "h": bytes(32), "z": frame}


def _foreign(place: Place) -> None:
    """Point from another feed to entries of a run, to the newest with the very id that it has."""
    other = place.keys.feed(next(p for p in (0, 1) if p != place.partition))
    newest = place.client.xrevrange(place.keys.job(place.honest), count=1)[0][0]
    top = place.client.xinfo_stream(other)["last-generated-id"]
    for entry in [newest] * (newest > top) + ["*"]:
        place.client.xadd(other, {"j": place.honest, "n": 1}, id=entry)


def _ahead(ms: int) -> int:
    return int(time.time() * 1000) + ms


def _job_key_of_another_type(place: Place) -> None:
    place.client.set(place.keys.job(place.odd), "text")
    place.point(place.odd)


def _feed_without_tail(place: Place) -> None:
    place.client.xadd(place.feed, {"j": place.honest, "n": 1}, id=f"{LARGEST_ID}-{LARGEST_ID}")
    place.client.xdel(place.feed, f"{LARGEST_ID}-{LARGEST_ID}")


def _another_type(place: Place, key: str) -> None:
    place.client.delete(key)
    place.client.lpush(key, "a", "b")


ODD_THINGS: dict[str, Callable[[Place], None]] = {
    "bomb": lambda at: at.enter(at.odd, _z(BOMB)),
    "bomb of lines": lambda at: at.enter(at.odd, _z(zstandard.compress(b"{}\n" * 600_000))),
    "many small events": lambda at: at.enter(
        at.odd, _z(zstandard.compress(b"{}\n" * 60_000)) | {"m": 59_999}
    ),
    "two frames": lambda at: at.enter(at.odd, _z(zstandard.compress(b"{}\n") + BOMB)),
    "large entry": lambda at: at.enter(at.odd, at.batch(d=b"x" * (12 << 20))),
    "many fields": lambda at: at.enter(at.odd, {b"%d" % i: b"v" for i in range(20_000)}),
    "bomb beside a run": lambda at: at.enter(at.honest, _z(BOMB)),
    "job key of another type": _job_key_of_another_type,
    "pointer of another partition": _foreign,
    "pointer a year ahead": lambda at: at.point(at.honest, f"{_ahead(_YEAR_MS)}-0"),
    "entry a year ahead": lambda at: at.enter(at.odd, at.batch(), f"{_ahead(_YEAR_MS)}-0"),
    "entry of a run a year ahead": lambda at: at.enter(
        at.honest, at.batch(), f"{_ahead(_YEAR_MS)}-0"
    ),
    "pointer of 2^63": lambda at: at.point(at.honest, f"{2**63}-0"),
    "entry of 2^63": lambda at: at.enter(at.odd, at.batch(), f"{2**63}-{2**63}"),
    "last pointer of all": lambda at: at.point(at.honest, f"{LARGEST_ID}-{LARGEST_ID}"),
    "feed without a tail": _feed_without_tail,
    "sequence of 2^63": lambda at: at.enter(at.odd, at.batch(), f"{_ahead(1000)}-{2**63}"),
    "job id with NUL": lambda at: at.point(b"a\0b"),
    "job id of 10,000 characters": lambda at: at.point("x" * 10_000),
    "job id that is no text": lambda at: at.point(b"\xff\xfe"),
    "job id with braces": lambda at: at.point("{1}:job"),
    "no job id": lambda at: at.point(""),
    "endless count": lambda at: at.point(at.odd, count=b"9" * 5000),
    "huge count": lambda at: at.point(at.odd, count=2**62),
    "negative count": lambda at: at.point(at.odd, count=-5),
    "no pointer": lambda at: (at.client.xadd(at.feed, {"a": "b"}), None)[1],
    "feed of another type": lambda at: _another_type(at, at.feed),
    "trimmed of another type": lambda at: _another_type(at, at.keys.trimmed(at.partition)),
    "trimmed that is no id": lambda at: (
        at.client.set(at.keys.trimmed(at.partition), b"\xff-9"),
        None,
    )[1],
    "retired of another type": lambda at: _another_type(at, at.keys.retired),
    "retired that is no time": lambda at: (
        at.client.hset(at.keys.retired, b"\xff", "never"),
        None,
    )[1],
    "producers of another type": lambda at: _another_type(at, at.keys.producers(at.odd)),
}
"""Name → what it puts into the server."""
