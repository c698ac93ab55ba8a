"""Any stored value replaced by anything: others live, the damaged one says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.answers import differences
from tests.support.copies import anything, columns
from tests.support.scenes.damaged import Pair
from tests.support.scenes.report import Result
from tests.support.scenes.stage import play_on_postgres
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from random import Random

    from tests.support.copies import Cell

_TOGETHER = 5
_OF_NOW = frozenset({"damage", "member", "removed"})
"""Tables that have rows only while something is damaged, projected or removed."""
_UNPROVED = frozenset({("run", "ms"), ("run", "seq")})
"""Where a job stands in the list is when its first commit came: nothing recorded says it again."""
_OF_ALL = frozenset({"deployment", "checkpoint", "member", "alembic_version"})
"""Tables whose rows are of no job: what is damaged there may stop a projection, which says so."""


def replace_any_value(home: Path, count: int, random: Random) -> Result:
    """`count` values, each of another job and of every column in turn; SQLite."""
    result = Result("any stored value replaced, SQLite", count)
    with TestServer(home / "server") as server:
        _play(result, home, server, None, random)
    return result


def replace_any_value_on_postgres(home: Path, count: int, random: Random) -> Result:
    """The same, PostgreSQL."""
    result = Result("any stored value replaced, PostgreSQL", count)
    return play_on_postgres(
        result, home, lambda server, url: _play(result, home, server, url, random)
    )


def _play(
    result: Result, home: Path, server: TestServer, store_url: str | None, random: Random
) -> None:
    counts = {"equal": 0, "said so": 0, "found by verify": 0, "of all jobs": 0}
    with Pair(home, server, random, store_url) as pair:
        wanted = [column for column in columns() if column not in _UNPROVED]
        stored = {(cell.table, cell.column) for cell in pair.copies.cells()}
        lacking = {column for column in set(wanted) - stored if column[0] not in _OF_NOW}
        result.require(not lacking, f"no row has {lacking}")
        wanted = [column for column in wanted if column in stored]
        random.shuffle(wanted)
        due = [wanted[number % len(wanted)] for number in range(result.planned)]
        while due:
            pair.copies.put_back()
            result.happened += len(due)
            done = _replace_some(pair, due, random)
            result.happened -= len(due)
            _judge(result, pair, done, counts)
        result.tally.events += sum(chain.last + 1 for chain in pair.stage.jobs.values())
    result.notes.append(", ".join(f"{count} {name}" for name, count in counts.items()))


def _judge(
    result: Result, pair: Pair, done: Sequence[tuple[Cell, Any]], counts: dict[str, int]
) -> None:
    pair.go_on()
    consumer = pair.consume()
    expected, found, numbers = pair.expected(), pair.found(), pair.numbers()
    victims = {cell.job: cell for cell, _ in done if cell.job is not None}
    is_of_all = any(cell.table in _OF_ALL for cell, _ in done)
    moves = any(cell.column == "no" or cell.column.endswith("_no") for cell, _ in done)
    what = "; ".join(f"{c.place} {c.table}.{c.column} of {c.job}: {v!r:.60}" for c, v in done)
    for job, told in found.items():
        wrong = differences(expected[job], told)
        refused = told.refused
        if job not in victims:
            is_said = wrong and ((moves and pair.verify(job)) or (is_of_all and pair.examine()))
            result.require(not wrong or bool(is_said), f"{what}: {job} has {wrong}")
            result.require(is_of_all or not refused, f"{what}: {job} has no {refused}")
        elif not wrong and not told.says_so:
            counts["equal"] += 1
        elif not wrong:
            counts["said so"] += 1
            result.require("damaged_jobs" in numbers, "no number of damaged jobs")
        elif pair.verify(job):
            counts["found by verify"] += 1
        else:
            result.require(False, f"{what}: {job} has {wrong}, and nobody says so")
    counts["of all jobs"] += is_of_all
    result.require(consumer.is_alive, f"{what}: a consumer ended: {consumer.log[-1500:]}")
    result.require("Traceback" not in consumer.log, f"{what}: {consumer.log[-2500:]}")
    consumer.stop()


def _replace_some(pair: Pair, due: list[tuple[str, str]], random: Random) -> list[tuple[Cell, Any]]:
    """Replace a value of each of the next columns, each of another job; take them from `due`."""
    cells = pair.copies.cells()
    done: list[tuple[Cell, Any]] = []
    while due and len(done) < _TOGETHER:
        table, _ = column = due[0]
        taken = {cell.job for cell, _ in done}
        mine = [
            cell for cell in cells if (cell.table, cell.column) == column and cell.job not in taken
        ]
        if done and (table in _OF_ALL or not mine):
            break
        due.pop(0)
        if mine:
            cell = random.choice(mine)
            value = anything(pair.copies, cell, cells, random)
            if pair.copies.replace(cell, value):
                done.append((cell, value))
        if table in _OF_ALL:
            break
    return done
