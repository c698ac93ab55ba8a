"""A certificate is verified offline, by the script of the docs, and by nothing of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from consumers.audit.anchors import anchor_of
from consumers.audit.certificate import MOST_BYTES, Evidence, certificate
from synapse_stream.entries.tree import Tree
from synapse_stream.ports.audit import ProducerReport, Report, Verdict
from synapse_stream.tlog.notes import ED25519, SigningKey
from synapse_stream.tlog.witness import Witness
from tests.support.anchoring import anchor, log_key, settings
from tests.support.commands import command, environment
from tests.support.logs import Log, new_pem
from tests.support.tampering import Deployment, rechained
from tests.support.witnesses import serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.commands import Said

__all__ = ["command", "environment", "settings"]

SCRIPT = Path(__file__).parents[2] / "docs" / "verify_certificate.py"


def verified(content: bytes | dict[str, Any], home: Path, *words: object) -> str:
    """Run the script; return what it says, or nothing if it refuses."""
    file = home / "certificate.json"
    file.write_bytes(content if isinstance(content, bytes) else orjson.dumps(content))
    command = [sys.executable, "-I", str(SCRIPT), str(file), *map(str, words)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if found.returncode else found.stdout


@pytest.fixture
def certified(
    deployment: Deployment,
    command: Callable[..., Said],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[dict[str, Any], list[str]]:
    """Certify a run with a witness; return the certificate, and the keys to verify it by."""
    chain = deployment.run(is_ended=True)
    deployment.run("other")
    deployment.project()
    anchor(deployment)
    log = log_key(deployment.settings)
    witness = Witness("witness.example/w1", SigningKey(new_pem()), [log], tmp_path / "witness")
    secret = deployment.settings.signing_key
    assert secret is not None
    with serving(witness) as known:
        for name, value in (
            *(("PARTITIONS", 1), ("ANCHORS", deployment.settings.anchors)),
            ("WITNESSES", f"{known.key} {known.url}"),
            ("SIGNING_KEY", secret.get_secret_value()),
        ):
            monkeypatch.setenv(f"SYNAPSE_STREAM_{name}", str(value))
        file = tmp_path / "run.json"
        said = command("certify", chain.job_id, "-o", str(file), "--require-witnesses", "1")
    assert said.code == 0, said.err
    assert file.stat().st_size <= MOST_BYTES
    return json.loads(file.read_text()), [str(log), str(known.key)]


def test_a_certificate_holds_offline(
    certified: tuple[dict[str, Any], list[str]], tmp_path: Path
) -> None:
    body, keys = certified

    said = verified(body, tmp_path, *keys, "--require-witnesses", 1)

    assert "8 entries with the root" in said
    assert "cosigned by witness.example/w1" in said
    assert "producer producer-1: events 0 to 25" in said
    assert body["seals"] == {}


def changes(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return forgeries of a certificate, each of another kind."""
    forged = [deepcopy(body) for _ in range(9)]
    (name,) = body["heads"]
    forged[0]["job"] = "job-2"
    forged[1]["heads"][name][0] += 1
    forged[2]["heads"][name][1] = "00" * 32
    forged[3]["heads"]["more"] = body["heads"][name]
    forged[4]["anchor"]["number"] += 1
    forged[5]["anchor"]["entry"] = body["anchor"]["entry"].replace('"entries":8', '"entries":7')
    forged[6]["checkpoints"] = []
    proof = forged[7]["checkpoints"][0]["proof"]
    forged[7]["checkpoints"][0]["proof"] = [b64encode(bytes(32)).decode(), *proof[1:]]
    note = body["checkpoints"][0]["note"]
    forged[8]["checkpoints"][0]["note"] = note.replace("\n3\n", "\n4\n")
    return forged


def test_a_certificate_that_was_changed_or_has_other_keys_does_not_hold(
    certified: tuple[dict[str, Any], list[str]], tmp_path: Path
) -> None:
    body, (log, witness) = certified
    for forged in changes(body):
        assert forged != body
        assert verified(forged, tmp_path, log) == ""
    stranger = SigningKey(new_pem())
    other = stranger.key(log.partition("+")[0], ED25519)
    assert verified(body, tmp_path, other) == ""
    assert verified(body, tmp_path, Log(tmp_path / "other").key) == ""
    assert verified(body, tmp_path, log, "--require-witnesses", 1) == ""
    unsigned = deepcopy(body)
    note = unsigned["checkpoints"][0]["note"]
    text, _, lines = note.rpartition("\n\n")
    log_line, witness_line = lines.splitlines(keepends=True)
    unsigned["checkpoints"][0]["note"] = f"{text}\n\n{witness_line}"
    assert verified(unsigned, tmp_path, log, witness) == ""
    unsigned["checkpoints"][0]["note"] = f"{text}\n\n{log_line}"
    assert verified(unsigned, tmp_path, log, witness)
    assert verified(unsigned, tmp_path, log, witness, "--require-witnesses", 1) == ""


def test_what_is_not_sound_or_not_anchored_is_not_certified(
    deployment: Deployment, certified: object, command: Callable[..., Said], tmp_path: Path
) -> None:
    deployment.run("later")
    deployment.project()
    later = command("certify", "later", "-o", str(tmp_path / "later"))
    unknown = command("certify", "nobody", "-o", str(tmp_path / "nobody"))
    chain = deployment.run("job-3")
    deployment.project()
    anchor(deployment)
    deployment.rewrite(chain.job_id, rechained(chain, 3))
    broken = command("certify", "job-3", "-o", str(tmp_path / "broken"))

    assert [one.code for one in (later, unknown, broken)] == [3, 1, 1]
    assert "has no anchor yet" in later.err
    assert not any((tmp_path / name).exists() for name in ("later", "nobody", "broken"))


@pytest.mark.parametrize("count", [512, 5_000])
def test_a_certificate_of_a_large_run_is_small(tmp_path: Path, count: int) -> None:
    names = [f"host-{number:04}-8f0a2b-{number:06}" for number in range(count)]
    manifest = {
        "entries": 1,
        "tree": Tree(1, bytes(32)).parts.hex(),
        "producers": {name: {"last": 100_000, "hash": "ab" * 32} for name in names},
    }
    entry = anchor_of("large", orjson.dumps(manifest), time_ms=0)
    log = Log(tmp_path / "log")
    log.add([b"x"] * 300)
    signed = log.add([entry])
    tiles = log.folder.tiles(signed.checkpoint.size)
    head = bytes.fromhex("ab" * 32)
    producers = [ProducerReport(name, 100_000, 100_001, [], 100_000, {}, head) for name in names]
    sound = Verdict.INTACT
    report = Report("large", sound, sound, sound, 1, 0, 0, producers, {}, 1, [], [])

    content = certificate(report, Evidence(300, entry, tiles, [signed]))

    assert len(content) <= MOST_BYTES
    assert (json.loads(content)["heads"] is None) == (count == 5_000)
    assert "entry 300 of the log" in verified(content, tmp_path, log.key)


def test_the_script_is_short_and_needs_nothing_of_ours() -> None:
    text = SCRIPT.read_text()

    assert text.count("\n") <= 110
    assert "import synapse" not in text
    assert "consumers" not in text
