"""The vector of docs/audit.md holds, for a verifier of its own and for ours."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from consumers.audit.growth import Growth
from consumers.audit.record import Record
from synapse_stream.entries.batch import RawEntry
from synapse_stream.entries.entry import recorded_batch
from tests.audit.independent import verify
from tests.support.written_logs import trusted

JOB = "vector"
_TEXT = (Path(__file__).parents[2] / "docs" / "audit.md").read_text()
_BLOCKS = re.findall(r"```json\n(.*?)```", _TEXT, re.DOTALL)
ENTRIES, _LOGGED = (block.splitlines() for block in _BLOCKS)
(_CHECKPOINT,) = re.findall(r"```text\n(.*?)```", _TEXT, re.DOTALL)
(_KEY,) = re.findall(r"^`(synapse-stream/\S+)`", _TEXT, re.MULTILINE)
LOG = {"key": _KEY, "checkpoint": _CHECKPOINT, "entries": _LOGGED}

ALL_SURE = {"one": 6, "two": 1}


def entries() -> list[dict[str, Any]]:
    return [json.loads(line) for line in ENTRIES]


def ours(
    found: list[dict[str, Any]], log: dict[str, Any], home: Path
) -> tuple[list[str], dict[str, int]]:
    trust = trusted(home, "synapse", log)
    record, growth = Record(JOB), Growth(trust.of(JOB))
    for entry in found:
        ms, seq = map(int, entry["id"].split("-"))
        fields = {
            b"p": entry["p"].encode(),
            b"n": b"%d" % entry["n"],
            b"m": b"%d" % entry["m"],
            b"h": bytes.fromhex(entry["h"]),
            b"s": bytes.fromhex(entry["s"]),
            b"d": entry["d"].encode(),
        }
        growth.add(raw := RawEntry(ms, seq, fields))
        record.take_streamed(recorded_batch(JOB, raw))
    record.close({}, {})
    record.judge_seals()
    found_there = [*record.findings, *trust.findings, *growth.judge()]
    sure = {name: number for name, (number, _) in growth.sure.items()}
    return [one.what for one in found_there], sure


def test_the_vector_holds(tmp_path: Path) -> None:
    assert verify(JOB, entries(), LOG) == ("", ALL_SURE)
    assert ours(entries(), LOG, tmp_path) == ([], ALL_SURE)


def change(found: list[dict[str, Any]]) -> None:
    found[2]["d"] = found[2]["d"].replace('"current":1', '"current":2')


def delete(found: list[dict[str, Any]]) -> None:
    del found[2]


def insert(found: list[dict[str, Any]]) -> None:
    found.insert(3, deepcopy(found[2]))


def swap(found: list[dict[str, Any]]) -> None:
    found[2], found[3] = found[3], found[2]


def cut_tail(found: list[dict[str, Any]]) -> None:
    del found[-1]


def turn(found: list[dict[str, Any]]) -> None:
    """Have the batches of two producers change places, but not their ids."""
    found[0], found[1] = found[1] | {"id": found[0]["id"]}, found[0] | {"id": found[1]["id"]}


def delay(found: list[dict[str, Any]]) -> None:
    found[2]["id"] = "1763880000010-0"


@pytest.mark.parametrize("tamper", [change, delete, insert, swap, cut_tail, turn, delay])
def test_both_verifiers_find_what_was_done_to_the_vector(tamper: Any, tmp_path: Path) -> None:
    found = entries()
    tamper(found)

    assert verify(JOB, found, LOG)[0]
    assert ours(found, LOG, tmp_path)[0]


def test_both_verifiers_find_a_changed_anchor(tmp_path: Path) -> None:
    changed = [one.replace('"entries":5', '"entries":4') for one in _LOGGED]
    assert changed != _LOGGED

    assert verify(JOB, entries(), LOG | {"entries": changed})[0] == "root of the log"
    assert "anchor" in ours(entries(), LOG | {"entries": changed}, tmp_path)[0]


def test_the_independent_verifier_is_short_and_imports_nothing_of_ours() -> None:
    text = (Path(__file__).parent / "independent.py").read_text()

    assert "synapse_stream" not in text
    assert "consumers" not in text
    assert text.count("\n") < 230
