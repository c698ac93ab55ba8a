"""Stores that are damaged: that is healed or named, and all else is answered as before."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from tests.support.answers import differences
from tests.support.postgres import NO_POSTGRES
from tests.support.scenes.damaged import Pair
from tests.support.scenes.report import Result
from tests.support.scenes.stage import own_postgres
from tests.support.scenes.ways import WAYS, Case, Target
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from random import Random

    from tests.support.answers import Told
    from tests.support.postgres import PostgresServer

_NUMBERS = ("damaged_jobs", "gap_partitions")
_PATIENCE_SECONDS = 5.0


def damage_stores(home: Path, count: int, random: Random) -> Result:
    """Stores of SQLite, each damaged in every way, `count` times in all."""
    result = Result("stores damaged in every way, SQLite", count)
    with TestServer(home / "server") as server:
        for number in range(ceil(count / len(WAYS))):
            with Pair(home / f"store-{number}", server, random, None) as pair:
                _damage(result, pair, random, None)
    return result


def damage_stores_on_postgres(home: Path, count: int, random: Random) -> Result:
    """The same, PostgreSQL."""
    result = Result("stores damaged in every way, PostgreSQL", count)
    with own_postgres() as postgres:
        if postgres is None:
            result.skipped = NO_POSTGRES
            return result
        with TestServer(home / "server") as server:
            for number in range(ceil(count / len(WAYS))):
                with (
                    postgres.database() as url,
                    Pair(home / f"store-{number}", server, random, url) as pair,
                ):
                    _damage(result, pair, random, postgres)
    return result


class _Seen(NamedTuple):
    """What is to be seen of a store."""

    expected: Mapping[str, Told]
    found: Mapping[str, Told]
    doctor: Sequence[Mapping[str, Any]]
    broken: Mapping[str, Any]
    """By job what verifying finds."""
    is_counted: bool
    """Whether the numbers show it."""

    @property
    def wrong(self) -> dict[str, list[str]]:
        """By job what is answered otherwise."""
        found = {job: differences(self.expected[job], told) for job, told in self.found.items()}
        return {job: said for job, said in found.items() if said}

    @property
    def told(self) -> dict[str, set[str]]:
        """By job the projections that it is said of that they are damaged."""
        return {job: told.says_so for job, told in self.found.items() if told.says_so}


def _damage(result: Result, pair: Pair, random: Random, server: PostgresServer | None) -> None:
    ways = list(WAYS)
    random.shuffle(ways)
    table: dict[str, Counter[str]] = {way: Counter() for way in ways}
    for way in ways[: result.planned - result.happened]:
        pair.copies.put_back()
        target = WAYS[way](Case(pair, random, server))
        result.happened += 1
        table[way].update([_judge(result, pair, way, target)])
        _mend(result, pair, f"{way}, {target.what}", server)
    result.tally.events += sum(chain.last + 1 for chain in pair.stage.jobs.values())
    result.notes += [f"{way}: {dict(counts)}" for way, counts in table.items() if counts]


def _judge(result: Result, pair: Pair, way: str, target: Target) -> str:
    """Let consumers, API, doctor and verify run on it; return what came of it."""
    what = f"{way}, {target.what}, job {target.job}"
    pair.go_on()
    consumer = pair.consume()
    seen = _look(pair)
    outcome = _outcome(result, what, target, seen)
    result.require(consumer.is_alive, f"{what}: a consumer ended: {consumer.log[-1500:]}")
    result.require("Traceback" not in consumer.log, f"{what}: {consumer.log[-2500:]}")
    with suppress(AssertionError):
        consumer.stop()
    exit_status = consumer.process.exitcode
    result.require(exit_status == 0, f"{what}: a consumer ended with {exit_status}")
    return outcome


def _outcome(result: Result, what: str, target: Target, seen: _Seen) -> str:
    others = {job for job in seen.found if target.job is not None and job != target.job}
    touched = {job: said for job, said in seen.wrong.items() if job in others}
    refused = others & seen.told.keys()
    result.require(not touched, f"{what}: other jobs are answered otherwise: {touched}")
    result.require(not refused, f"{what}: other jobs are refused: {refused}")
    if not seen.wrong and not seen.told and not seen.doctor and not seen.broken:
        return "healed"
    by = {
        "doctor": bool(seen.doctor),
        "numbers": seen.is_counted,
        "job": bool(seen.told) if target.job is None else target.job in seen.told,
    }
    if not seen.wrong and all(by.values()):
        return "named"
    said = [name for name, is_so in by.items() if is_so]
    if seen.wrong.keys() <= seen.broken.keys() and (said or seen.broken):
        return f"told by {', '.join([*said, *(['verify'] if seen.broken else [])])}"
    result.require(False, f"{what}: only {said} name it; answers differ: {seen.wrong}")
    return "silent"


def _look(pair: Pair) -> _Seen:
    expected, found = pair.expected(), pair.found()
    doctor = [
        finding
        for finding in _command(pair, "doctor")[0].get("findings", ())
        if finding["verdict"] == "problem" and finding["subject"] in {"store", "projections"}
    ]
    broken = {
        report["job_id"]: report["findings"]
        for report in _command(pair, "verify", "--all")
        if report.get("verdict") in {"broken", "unknown"}
    }
    deadline = time.monotonic() + _PATIENCE_SECONDS
    is_counted = _is_counted(pair.numbers())
    while doctor and not is_counted and time.monotonic() < deadline:
        time.sleep(0.2)
        is_counted = _is_counted(pair.numbers())
    return _Seen(expected, found, doctor, broken, is_counted)


def _is_counted(text: str) -> bool:
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        if name.startswith("synapse_stream_readable") and value == "0.0":
            return True
        if name.startswith(tuple(f"synapse_stream_{one}" for one in _NUMBERS)) and value != "0.0":
            return True
    return 'synapse_stream_up{part="store"} 0.0' in text


def _command(pair: Pair, *words: str) -> list[Any]:
    """Run the command; return the objects that it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "synapse_stream.cli", *words, "--json"],
        env={**os.environ, **pair.stage.environ},
        capture_output=True,
        check=False,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()[-3000:]
    return [orjson.loads(line) for line in done.stdout.splitlines()] or [{}]


def _mend(result: Result, pair: Pair, what: str, server: PostgresServer | None) -> None:
    """Put the store back as it was: all is answered as before, so nothing else was destroyed."""
    kept = server.data / "pg_wal.kept" if server is not None else None
    if server is not None and kept is not None and kept.exists():
        server.restore_log(kept)
    pair.copies.put_back()
    consumer = pair.consume()
    expected, found = pair.expected(), pair.found()
    wrong = {job: differences(expected[job], told) for job, told in found.items()}
    wrong = {job: said for job, said in wrong.items() if said}
    refused = {job: told.says_so for job, told in found.items() if told.says_so}
    result.require(not wrong and not refused, f"{what}: put back, still {wrong} {refused}")
    consumer.stop()
