"""Anything that a neighbour may write into the namespace, beside jobs that are sound."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from consumers.views import names as projections
from synapse_stream.settings import Settings
from tests.support.odd_things import ODD_THINGS, Place
from tests.support.scenes.report import Result
from tests.support.scenes.stage import Stage, play_on_postgres
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

_A_CHUNK = 500
_ODD_JOBS = 50
_LARGEST_MEMORY_KIB = 512 * 1024
_REREAD_SECONDS = 600
_RARE = 0.004  # of things that cost the server most: feeds are copied, bombs are packed
_WORDS = (b"", b"j", b"n", b"p", b"m", b"h", b"z", b"d", b"0", b"7", b"-1", b"\0", b"\xff" * 9)


class Neighbour:
    """Writes anything into the keys of one partition, but for the jobs that are sound."""

    def __init__(self, place: Place, odd: list[str], random: Random) -> None:
        self._place = place
        self._odd = odd
        self._random = random

    def write(self) -> None:
        """Write one thing."""
        place = self._place._replace(odd=self._random.choice(self._odd))
        kinds = (self._point, self._enter, self._enter, self._put)
        kind: Callable[[Place], object] = self._random.choice(kinds)
        if self._random.random() < _RARE:
            kind = ODD_THINGS[self._random.choice(list(ODD_THINGS))]
        with suppress(ResponseError):  # what was written before may forbid it
            kind(place)

    def _point(self, place: Place) -> None:
        fields = self._fields() | {b"j": self._random.choice((place.odd.encode(), self._word()))}
        place.client.xadd(place.feed, fields)

    def _enter(self, place: Place) -> None:
        key = place.keys.job(place.odd)
        if place.client.type(key) not in {b"none", b"stream"}:
            place.client.delete(key)
        fields = self._fields()
        if self._random.random() < 0.5:
            fields |= {name.encode(): value for name, value in place.batch().items()}
            fields[self._random.choice((b"p", b"n", b"m", b"h", b"d"))] = self._word()
        entry = place.client.xadd(place.feed, {"j": place.odd, "n": 1})
        place.client.xadd(key, fields, id=entry)

    def _put(self, place: Place) -> None:
        keys = place.keys
        names = (keys.job(place.odd), keys.producers(place.odd), keys.trimmed(place.partition))
        another = f"{place.feed}:{self._random.random()}"
        key, word = self._random.choice((*names, another)), self._word()
        place.client.delete(key)
        match self._random.randrange(4):
            case 0:
                place.client.set(key, word)
            case 1:
                place.client.lpush(key, word)
            case 2:
                place.client.hset(key, word or b"x", word)
            case _:
                place.client.zadd(key, {word: 1.5})
        if key == names[0]:
            place.point(place.odd)

    def _fields(self) -> dict[bytes, Any]:
        return {self._word(): self._word() for _ in range(self._random.randint(1, 4))}

    def _word(self) -> bytes:
        random = self._random
        if random.random() < 0.5:
            return random.choice(_WORDS)
        return random.randbytes(random.choice((1, 8, 32, 300)))


def write_anything(home: Path, count: int, random: Random) -> Result:
    """`count` things in any key: no consumer ends, every sound job is in the views in time."""
    result = Result("anything in any key, SQLite", count)
    with TestServer(home / "server") as server:
        _write(result, home, server, None, random)
    return result


def write_anything_on_postgres(home: Path, count: int, random: Random) -> Result:
    """The same, PostgreSQL."""
    result = Result("anything in any key, PostgreSQL", count)
    return play_on_postgres(
        result, home, lambda server, url: _write(result, home, server, url, random)
    )


def _write(
    result: Result, home: Path, server: TestServer, store_url: str | None, random: Random
) -> None:
    settings = Settings(
        redis_url=server.url,
        store_url=store_url,
        data_dir=home / "data",
        partitions=2,
        lease_seconds=3,
    )
    longest = 0.0
    with Stage(home / "stage", settings, random) as stage, server.client() as client:
        consumer = stage.prepare().consume()
        names = [f"job-{number}" for number in range(10 * _ODD_JOBS)]
        here = [name for name in names if stage.log.keys.partition(name) == 1]
        elsewhere = next(name for name in names if name not in here)
        place = Place(client, stage.log.keys, here[0], here[1])
        stage.insist(place.honest, 2)
        neighbour = Neighbour(place, here[3 : 3 + _ODD_JOBS], random)
        while result.happened < result.planned:
            for _ in range(min(_A_CHUNK, result.planned - result.happened)):
                neighbour.write()
                result.happened += 1
            begin = time.monotonic()
            for job in (here[2], elsewhere):
                stage.insist(job, 2)
            stage.wait_until_caught_up(by=consumer)
            longest = max(longest, time.monotonic() - begin)
        result.tally.add(stage.settle([here[2], elsewhere]))
        for job in (here[2], elsewhere):
            parked = [stage.store.parked.list(each, job_id=job) for each in projections()]
            result.require(not any(parked), f"{job} has what is a neighbour's: {parked!r:.500}")
        result.require(consumer.peak_kib < _LARGEST_MEMORY_KIB, f"{consumer.peak_kib} KiB")
        result.require("Traceback" not in consumer.log, consumer.log[-2000:])
        result.notes.append(f"at most {consumer.peak_kib // 1024} MiB of memory")
        consumer.stop()
    result.notes.append(f"sound jobs are in the views within {longest:.1f} s of {_A_CHUNK} things")
