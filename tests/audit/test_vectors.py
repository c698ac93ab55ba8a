"""What the files of docs/vectors say is found, by a verifier of its own, and by ours."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64decode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from consumers.audit.erased import Erased
from consumers.audit.growth import Growth
from consumers.audit.record import Record, lines_of
from consumers.views.archive.block import read_block
from synapse_stream.entries.batch import RawEntry, unpack
from synapse_stream.entries.entry import recorded_batch
from synapse_stream.entries.erasing import parse_erasures
from synapse_stream.errors import DecodeError
from tests.audit.independent import verify
from tests.audit.independent_block import read
from tests.support.written_logs import trusted

FOLDER = Path(__file__).parents[2] / "docs" / "vectors"
_OTHERS = ("block-", "certificate-")
RUNS = sorted(path.stem for path in FOLDER.glob("*.json") if not path.stem.startswith(_OTHERS))
BLOCKS, CERTIFICATES = (
    sorted(path.stem for path in FOLDER.glob(f"{kind}*.json")) for kind in _OTHERS
)
SCRIPT = FOLDER.parent / "verify_certificate.py"
_OF_LOGS = {"signature", "place", "root", "anchor"}


def content(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


def raw(entry: dict[str, Any]) -> RawEntry:
    ms, seq = map(int, entry["id"].split("-"))
    fields = {
        b"p": entry["p"].encode(),
        b"n": b"%d" % entry["n"],
        b"m": b"%d" % entry["m"],
        b"h": bytes.fromhex(entry["h"]),
        b"s": bytes.fromhex(entry["s"]),
    }
    lines = {b"z": b64decode(entry["z"])} if "z" in entry else {b"d": entry["d"].encode()}
    return RawEntry(ms, seq, fields | lines)


def ours(run: Any, home: Path) -> set[str]:
    """Return what our verifier finds of a run that is archived."""
    trust = trusted(home, run["namespace"], run["log"])
    record, growth = Record(run["job"]), Growth(trust.of(run["job"]))
    found = [recorded_batch(run["job"], raw(entry)) for entry in run["entries"]]
    for entry in found:
        growth.add(RawEntry(entry.ms, entry.seq, entry.raw or {}))
        record.take_archived(entry)
    erased = Erased(parse_erasures(run.get("erased", ())))
    for entry in found:
        erased.take_archived(entry)
    erased.judge()
    record.close(lines_of(found, record.needs_lines({})), {})
    record.judge_seals()
    findings = [*record.findings, *erased.findings, *trust.findings, *growth.judge()]
    return {finding.what for finding in findings}


def test_there_are_vectors_of_both_kinds() -> None:
    kinds = [content(name)["finding"] for name in RUNS]

    assert kinds.count(None) >= 4
    assert {"numbers", "chain", "entry", "seal", "erasure", "anchor"} <= {*kinds}
    assert [content(name)["is_sound"] for name in BLOCKS].count(True) >= 3


@pytest.mark.parametrize("name", RUNS)
def test_both_verifiers_find_in_a_run_what_its_file_says(name: str, tmp_path: Path) -> None:
    run = content(name)

    theirs = verify(run["job"], run["entries"], run["log"], run.get("erased", []))[0]

    word = theirs.partition(" ")[0]
    assert ("anchor" if word in _OF_LOGS else word or None) == run["finding"]
    if run["finding"] is None:
        assert ours(run, tmp_path) == set()
    else:
        assert run["finding"] in ours(run, tmp_path)


@pytest.mark.parametrize("name", BLOCKS)
def test_both_readers_take_the_blocks_that_are_sound_and_no_others(name: str) -> None:
    block = content(name)
    job, body, is_loose = block["job"], b64decode(block["body"]), block["is_loose"]

    assert sha256(body).hexdigest() == block["digest"]
    assert read(job, body, is_loose=is_loose) == block["entries"]
    if block["is_sound"]:
        found = read_block(job, body, bytes.fromhex(block["digest"]), is_loose=is_loose)
        assert [unpack(job, one) for one in found] == [raw(entry) for entry in block["entries"]]
    else:
        with pytest.raises(DecodeError, match="cannot be read"):
            read_block(job, body, bytes.fromhex(block["digest"]), is_loose=is_loose)


def test_there_are_certificates_of_both_kinds() -> None:
    assert {content(name)["holds"] for name in CERTIFICATES} == {True, False}


@pytest.mark.parametrize("name", CERTIFICATES)
def test_the_script_takes_the_certificates_that_hold_and_no_others(
    name: str, tmp_path: Path
) -> None:
    vector = content(name)
    file, keys = tmp_path / "certificate.json", vector["keys"]
    file.write_text(json.dumps(vector["certificate"]))
    words = [keys["log"], *keys["witnesses"], "--require-witnesses", str(keys["required"])]

    command = [sys.executable, "-I", str(SCRIPT), str(file), *words]
    found = subprocess.run(command, capture_output=True, check=False)

    assert (found.returncode == 0) == vector["holds"]
    assert b"Traceback" not in found.stderr
