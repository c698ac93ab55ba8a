"""A disclosed line is verified offline by the scripts of the docs, and shows no other line."""

from __future__ import annotations

import json
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from consumers.audit.disclosure import disclosure
from consumers.views.archive.raw import StoredBlock
from synapse_stream.entries.batch import RawEntry, encode_fields
from synapse_stream.entries.erasing import erase
from synapse_stream.entries.position import Position
from synapse_stream.ports.audit import CannotDisclose
from tests.support import events
from tests.support.anchoring import anchor, log_key, settings
from tests.support.chains import Chain
from tests.support.commands import command, environment
from tests.support.tampering import rechained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.commands import Said
    from tests.support.tampering import Deployment

__all__ = ["command", "environment", "settings"]

SCRIPT = Path(__file__).parents[2] / "docs" / "verify_disclosure.py"
JOB = "job-1"


def verified(body: dict[str, Any], home: Path, *words: object) -> str:
    """Run the script; return what it says, or nothing if it refuses."""
    file = home / "line.json"
    file.write_bytes(orjson.dumps(body))
    command = [sys.executable, "-E", "-s", str(SCRIPT), str(file), *map(str, words)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (found.returncode != 0) == ("NOT VERIFIED" in found.stderr), found.stderr
    return "" if found.returncode else found.stdout


def ids(deployment: Deployment) -> list[str]:
    """Return the ids of the run's entries."""
    stream = deployment.redis("XRANGE", deployment.log.keys.job(JOB), "-", "+")
    return [entry.decode() for entry, _ in stream]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "disclosed.json"


@pytest.fixture
def disclose(
    deployment: Deployment,
    command: Callable[..., Said],
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], Said]:
    """Disclose a line of a run."""
    monkeypatch.setenv("SYNAPSE_STREAM_PARTITIONS", "1")
    monkeypatch.setenv("SYNAPSE_STREAM_ANCHORS", str(deployment.settings.anchors))
    secret = deployment.settings.signing_key
    assert secret is not None
    monkeypatch.setenv("SYNAPSE_STREAM_SIGNING_KEY", secret.get_secret_value())
    return lambda place: command("disclose", JOB, "--position", place, "-o", str(file))


@pytest.fixture
def disclosed(
    deployment: Deployment, disclose: Callable[[str], Said], file: Path
) -> tuple[dict[str, Any], str]:
    """Disclose a message of an anchored run; return what the file has, and the log's key."""
    deployment.run()
    deployment.project()
    anchor(deployment)
    said = disclose(f"{ids(deployment)[3]}.2")
    assert said.code == 0, said.err
    assert "it shows number 11 of producer-1" in said.out
    assert "no anchor" not in said.out
    return json.loads(file.read_text()), str(log_key(deployment.settings))


def test_a_line_holds_offline_and_no_other_is_shown(
    disclosed: tuple[dict[str, Any], str], file: Path, tmp_path: Path
) -> None:
    body, log = disclosed

    said = verified(body, tmp_path, log)

    assert '"seq":11,' in said
    assert "batch 2, 2" in said
    assert "8 entries with the root" in said
    assert verified(body, tmp_path, json.loads(body["anchor"]["entry"])["root"])
    assert file.read_text().count("seq") == 1
    assert file.read_text().count("batch ") == 1


def forgeries(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield forgeries, each of another kind."""
    zeros = {16: "00" * 16, 32: "00" * 32}
    yield body | {"lines": body["lines"].replace("batch 2", "batch 3")}
    yield body | {"lines": body["lines"] * 2}
    yield body | {"job": "job-2"}
    leaf, batch, entry = body["leaf"], body["batch"], body["entry"]
    # The first byte of the line goes over to the salt: the same bytes are hashed.
    salt = leaf["salt"] + body["lines"][0].encode().hex()
    yield body | {"leaf": leaf | {"salt": salt}, "lines": body["lines"][1:]}
    yield body | {"leaf": leaf | {"salt": zeros[16]}}
    yield body | {"leaf": leaf | {"number": leaf["number"] - 1}}
    yield body | {"leaf": leaf | {"proof": leaf["proof"][:-1]}}
    yield body | {"batch": batch | {"previous": zeros[32]}}
    yield body | {"batch": batch | {"producer": "producer-2"}}
    yield body | {"batch": batch | {"first": batch["first"] + 1}}
    yield body | {"batch": batch | {"id": "1-0"}}
    yield body | {"entry": entry | {"number": entry["number"] + 1}}
    yield body | {"entry": entry | {"proof": [*reversed(entry["proof"])]}}
    yield body | {"anchor": None}
    yield body | {"checkpoints": []}
    forged = deepcopy(body)
    text = forged["anchor"]["entry"]
    root = json.loads(text)["root"]
    forged["anchor"]["entry"] = text.replace(root, zeros[32])
    yield forged


def test_a_line_that_was_changed_does_not_hold(
    disclosed: tuple[dict[str, Any], str], tmp_path: Path
) -> None:
    body, log = disclosed

    for forged in forgeries(body):
        assert forged != body
        assert verified(forged, tmp_path, log) == ""
    assert verified(body, tmp_path, "00" * 32) == ""


def test_what_is_not_sound_or_not_there_is_not_disclosed(
    deployment: Deployment, disclose: Callable[[str], Said], file: Path
) -> None:
    unknown = disclose("1-0.0")
    chain = deployment.run()
    deployment.project()
    places = ids(deployment)
    said = [disclose("1-0.0"), disclose(f"{places[3]}.9"), disclose("soon")]
    deployment.rewrite(JOB, rechained(chain, 3))
    broken = disclose(places[0])

    assert [one.code for one in (unknown, *said, broken)] == [1, 1, 1, 2, 1]
    assert "there is no job" in unknown.err
    assert "has no entry 1-0" in said[0].err
    assert "has 4 lines" in said[1].err
    assert not file.exists()


def test_what_no_anchor_is_behind_is_verified_by_a_root(
    deployment: Deployment, disclose: Callable[[str], Said], file: Path, tmp_path: Path
) -> None:
    chain = deployment.run(is_ended=False)
    deployment.project()
    anchor(deployment)
    metrics = [{"type": "metrics", "values": {"loss": number}} for number in range(3)]
    deployment.record(chain, metrics)
    deployment.project()

    said = disclose(f"{ids(deployment)[-1]}.1")

    body = json.loads(file.read_text())
    assert said.code == 0, said.err
    assert "it shows numbers 25 to 27 of producer-1" in said.out
    assert "all 3 share a leaf" in said.out
    root = said.out.partition("must know the root ")[2].split()[0]
    assert '"seq":27' in verified(body, tmp_path, root)
    assert verified(body, tmp_path, log_key(deployment.settings)) == ""


def chain_of(count: int) -> Chain:
    chain = Chain(JOB)
    chain.add(events.started(attempt=1))
    metrics = [{"type": "metrics", "values": {"loss": number}} for number in range(count)]
    chain.add(events.message("begins"), *metrics, events.message("ends"))
    chain.add(events.message("later"))
    return chain


def blocks(chain: Chain) -> list[StoredBlock]:
    """Return the archive of a chain."""
    entries = []
    for number, batch in enumerate(chain.batches, 1):
        fields = {
            name.encode(): word if isinstance(word, bytes) else str(word).encode()
            for name, word in encode_fields(batch).items()
        }
        entries.append(RawEntry(number, 0, fields))
    return [StoredBlock(0, len(entries), (1, 0), (len(entries), 0), entries)]


def test_what_shares_a_leaf_is_shown_together(tmp_path: Path) -> None:
    found = disclosure(JOB, blocks(chain_of(3)), Position(2, 0, 2), None)
    body = json.loads(found.content)

    assert (found.first, found.last, found.entries, found.is_anchored) == (2, 4, 3, False)
    assert verified(body, tmp_path, found.root).count('"type":"metrics"') == 3
    assert "begins" not in str(body)
    assert "ends" not in str(body)


def test_an_erased_line_is_refused_and_its_neighbours_are_not(tmp_path: Path) -> None:
    chain = chain_of(3)
    chain.batches[1] = erase(chain.batches[1], 2, 2)
    archive = blocks(chain)

    with pytest.raises(CannotDisclose, match=r"2-0\.3 of job-1 was erased"):
        disclosure(JOB, archive, Position(2, 0, 3), None)
    found = disclosure(JOB, archive, Position(2, 0, 4), None)
    assert "ends" in verified(json.loads(found.content), tmp_path, found.root)


def test_what_follows_a_tail_that_is_gone_is_refused() -> None:
    chain = chain_of(3)
    del chain.batches[1]

    with pytest.raises(CannotDisclose, match="came again"):
        disclosure(JOB, blocks(chain), Position(2, 0, 0), None)


def test_the_script_is_short_and_needs_nothing_of_ours() -> None:
    text = SCRIPT.read_text()

    assert text.count("\n") <= 70
    assert "import synapse" not in text
    assert "consumers" not in text
