"""Mutated batches and events, straight into the streams, beside jobs that are sound."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson
import zstandard

from consumers.folding.fold import JobFold
from consumers.folding.ledger import Ledger, stands_for_range
from consumers.views.run_state.fold import RunStateView
from synapse_stream.entries.batch import GENESIS, encode_fields
from synapse_stream.settings import Settings
from tests.support.chains import Chain
from tests.support.scenes import calls
from tests.support.scenes.audit import read_all
from tests.support.scenes.report import Result
from tests.support.scenes.stage import Stage, play_on_postgres
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

    from redis import Redis

_JOBS = 12
_PRODUCERS = 3
_A_CHUNK = 1_000
_REREAD_SECONDS = 600
_SOUND = ("sound-0", "sound-1")
_START = 1_763_880_000_000_000

Event = dict[str, Any]

_KINDS = (
    *calls.KINDS, "run_started", "end", "loss", "producer_lost", "action", "heartbeat", "novelty",
)  # fmt: skip
_FIELDS = (
    "type", "time", "seq", "v", "step", "values", "x", "content", "level", "message", "data",
    "event", "current", "total", "failed", "error", "status", "rank", "count", "counts", "first",
    "last", "attempt", "labels", "params", "host", "pid", "sdk", "name", "key", "template",
    "truncated",
)  # fmt: skip
_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1, 2**53, 2**53 + 1, 2**63, 2**64 - 1, -(2**63), 1e308, -0.0, 0.1, "", "NaN",
    "Infinity", "-Infinity", "completed", "failed", "info", "a\0b", "\u2400", "\ud7ff", "é" * 300,
    [], [1, [2]], {}, {"$float": "NaN"}, {"$int": "9" * 400}, {"$float": 1}, {"a": {"b": [None]}},
    {"": 1}, {"loss": "NaN", "acc": 1}, {"message": 2**60}, {"metrics": -3},
)  # fmt: skip
_RAW = (
    b"", b"null", b"[]", b"{", b"{}", b'"', b"nan", b'{"type":"message"}', b"\xff\xfe", b"\x00",
    b'{"type":1e999}', b'{"a":"\\ud800"}', b"[" * 2000, b'{"a":' * 300 + b"1" + b"}" * 300,
    b'{"type":"message","type":"log","v":1}', b'{"values":{"a":' + b"9" * 5000 + b"}}",
)  # fmt: skip


class Fuzzer:
    """Appends entries to jobs' streams, each with its pointer in the feed, as the script does."""

    def __init__(self, stage: Stage, client: Redis, random: Random) -> None:
        self._stage = stage
        self._random = random
        self._client = client
        self._waiting: Any = client.pipeline(transaction=False)
        self._numbers: dict[tuple[str, str], int] = {}
        self._sound = {job: Chain(job, "sound") for job in _SOUND}
        self._seq = 0
        self.ms = int(time.time() * 1000)

    def fuzz(self) -> None:
        """Append one mutated entry."""
        job = f"fuzzed-{self._random.randrange(_JOBS)}"
        producer = f"p{self._random.randrange(_PRODUCERS)}"
        first = self._numbers.get((job, producer), 0)
        lines = [self._line(first + i) for i in range(self._random.randint(1, 4))]
        self._numbers[job, producer] = first + len(lines)
        data = b"".join(line + b"\n" for line in lines)
        fields: dict[str, Any] = {"p": producer, "n": first, "m": first + len(lines) - 1}
        fields |= {"h": GENESIS, "d": data}
        if self._random.random() < 0.2:
            self._mutate_fields(fields)
        self._append(job, fields, len(lines))

    def report_soundly(self, number: int) -> None:
        """Append an event to each sound job."""
        for job, chain in self._sound.items():
            batch = chain.add(calls.expected("0.0", number, 10))
            self._append(job, encode_fields(batch), 1)

    def send(self) -> None:
        """Send what was appended."""
        self._waiting.execute()

    def _append(self, job: str, fields: dict[str, Any], count: int) -> None:
        keys = self._stage.log.keys
        self._seq += 1
        entry = f"{self.ms}-{self._seq}"
        feed = keys.feed(keys.partition(job))
        flat = [item for pair in fields.items() for item in pair]
        self._waiting.execute_command("XADD", keys.job(job), entry, *flat)
        self._waiting.execute_command("XADD", feed, entry, "j", job, "n", count)
        self._stage.jobs.setdefault(job, Chain(job))

    def _line(self, number: int) -> bytes:
        random = self._random
        if random.random() < 0.1:
            return random.choice(_RAW)
        event = self._event(number)
        for _ in range(random.choice((0, 1, 1, 2))):
            if random.random() < 0.2 and event:
                del event[random.choice(list(event))]
            else:
                event[random.choice(_FIELDS)] = random.choice(_VALUES)
        if random.random() < 0.001:
            event["content"] = "x" * 300_000
        line = orjson.dumps(event)
        return self._mutate_bytes(line) if random.random() < 0.2 else line

    def _event(self, number: int) -> Event:
        kind = self._random.choice(_KINDS)
        event: Event = {"seq": number, "time": _START + number, "type": kind, "v": 1}
        voice = self._random.choice(("0.0", "1.0"))
        if kind in calls.KINDS:
            return event | calls.expected(voice, calls.KINDS.index(kind) + 5 * number, 3)
        others: dict[str, Event] = {
            "run_started": {"rank": self._random.randrange(3), "action": "train", "params": {}},
            "end": {"status": self._random.choice((None, "completed", "failed")), "rank": 0},
            "loss": {"counts": {"metrics": 2}, "first": None, "last": None, "reason": "r"},
            "producer_lost": {"rank": 1, "host": "h", "pid": 2, "last": number - 1},
            "action": {"name": "a", "status": "running", "error": None},
        }
        return event | others.get(kind, {})

    def _mutate_bytes(self, line: bytes) -> bytes:
        content, random = bytearray(line), self._random
        for _ in range(random.randint(1, 3)):
            place = random.randrange(len(content) + 1)
            match random.randrange(4):
                case 0:
                    content[place : place + 1] = bytes([random.randrange(256)])
                case 1:
                    content[place:place] = random.randbytes(random.randint(1, 4))
                case 2:
                    del content[place : place + random.randint(1, 10)]
                case _:
                    content = content[: max(1, place)]
            content = content or bytearray(b"x")
        return bytes(content)

    def _mutate_fields(self, fields: dict[str, Any]) -> None:
        random = self._random
        wrong: tuple[Callable[[], Any], ...] = (
            lambda: fields.pop(random.choice(list(fields))),
            lambda: fields.update(n=random.choice((-1, "x", 2**53, 2**70, "", "9" * 5000))),
            lambda: fields.update(m=random.choice((-1, "x", 2**53, 2**70, 0, fields["n"] + 9))),
            lambda: fields.update(n=max(0, fields["n"] - random.randint(1, 5))),
            lambda: fields.update(n=fields["n"] + 3, m=fields["m"] + 3),
            lambda: fields.update(p=random.choice((b"\xff", "", "p" * 5000, "a\0b"))),
            lambda: fields.update(z=random.randbytes(len(fields.pop("d")))),
            lambda: fields.update(z=zstandard.compress(fields.pop("d"))),
            lambda: fields.update(z=zstandard.compress(fields.pop("d"))[:-3]),
            lambda: fields.update(d=random.randbytes(random.randint(0, 50))),
            lambda: fields.update(h="short", d=fields["d"][:-1]),
            lambda: fields.update(z=zstandard.compress(fields.pop("d") + bytes(65 * 2**20))),
        )
        weights = [10] * (len(wrong) - 1) + [0.02]
        random.choices(wrong, weights)[0]()


def fuzz_streams(home: Path, count: int, random: Random) -> Result:
    """`count` mutated entries: no consumer ends, each event is folded or parked, and once."""
    result = Result("fuzzed entries, SQLite", count)
    with TestServer(home / "server") as server:
        _fuzz(result, home, server, None, random)
    return result


def fuzz_streams_on_postgres(home: Path, count: int, random: Random) -> Result:
    """The same, PostgreSQL."""
    result = Result("fuzzed entries, PostgreSQL", count)
    return play_on_postgres(
        result, home, lambda server, url: _fuzz(result, home, server, url, random)
    )


def _fuzz(
    result: Result, home: Path, server: TestServer, store_url: str | None, random: Random
) -> None:
    settings = Settings(
        redis_url=server.url, store_url=store_url, data_dir=home / "data", partitions=2
    )
    longest = 0.0
    with Stage(home / "stage", settings, random) as stage, server.client() as client:
        consumer = stage.prepare().consume()
        fuzzer = Fuzzer(stage, client, random)
        while result.happened < result.planned:
            fuzzer.report_soundly(result.happened // _A_CHUNK)
            for _ in range(min(_A_CHUNK, result.planned - result.happened)):
                fuzzer.fuzz()
                result.happened += 1
            fuzzer.send()
            begin = time.monotonic()
            stage.wait_until_caught_up(by=consumer)
            longest = max(longest, time.monotonic() - begin)
        consumer.stop()
        consumer = stage.consume()  # reads much of it again
        fuzzer.report_soundly(result.planned)
        fuzzer.send()
        stage.wait_until_caught_up(by=consumer, seconds=_REREAD_SECONDS)
        result.tally.add(stage.compare())
        folded, parked = _judge_each(result, stage)
        result.require(consumer.log == "", f"the consumer said: {consumer.log[-2000:]}")
        consumer.stop()
    result.notes.append(f"{folded} events folded, {parked} parked by the run state")
    result.notes.append(f"all of {_A_CHUNK} entries are in the views within {longest:.1f} s")


def _judge_each(result: Result, stage: Stage) -> tuple[int, int]:
    """See that what is fresh is counted by the run state or parked, entry by entry."""
    folded = parked = 0
    for job in stage.jobs:
        fold, seen = JobFold(RunStateView, job, None), 0
        for entry in read_all(stage.log, job):
            fresh = _fresh(fold._ledger, entry)
            refused = len(fold.apply(entry))
            counted = _counted(fold) - seen
            seen += counted
            if counted + refused != fresh:
                told = f"{fresh} fresh lines, {counted} folded, {refused} parked: {entry!r:.900}"
                result.tally.blame("lost" if counted + refused < fresh else "twice", told)
            folded, parked = folded + counted, parked + refused
    return folded, parked


def _fresh(ledger: Ledger, entry: Any) -> int:
    """Return how many lines, or whole entries, must be folded or parked."""
    batch = entry.batch
    if batch is None or not (0 <= batch.first <= batch.last < 2**53 and len(batch.producer) <= 200):
        return 1
    lines = batch.data.split(b"\n")
    lines = lines if lines[-1] else lines[:-1]
    known = ledger.last(batch.producer)
    if known >= batch.last:
        return 0
    first = batch.first
    if len(lines) == 1:
        try:
            is_range = stands_for_range(batch, [orjson.loads(lines[0])])
        except (orjson.JSONDecodeError, AttributeError):
            is_range = False
        first = batch.last if is_range else first
    return sum(number > known for number in range(first, first + len(lines)))


def _counted(fold: JobFold) -> int:
    attempts = fold._view.state["attempts"].values()
    return sum(sum(attempt["counts"].values()) for attempt in attempts)
