"""A witness cosigns what has grown from what it has cosigned, and nothing else, whoever asks."""

from __future__ import annotations

import random
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest

from synapse_stream.errors import DecodeError
from synapse_stream.tlog.asking import Contradicted, KnownWitness, cosigned
from synapse_stream.tlog.checkpoint import Checkpoint, SignedCheckpoint
from synapse_stream.tlog.notes import Note, SigningKey
from synapse_stream.tlog.witness import Asked, Refused, Witness
from tests.support.logs import Log, new_pem
from tests.support.witnesses import serving

if TYPE_CHECKING:
    from pathlib import Path

ORIGIN = "test.example/log"


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log", ORIGIN)


@pytest.fixture
def witness(log: Log, tmp_path: Path) -> Witness:
    return Witness("witness.example/w1", SigningKey(new_pem()), [log.key], tmp_path / "witness")


def entries(count: int, first: int = 0) -> list[bytes]:
    return [b"entry %d" % number for number in range(first, first + count)]


def ask(log: Log, signed: SignedCheckpoint, old: int) -> Asked:
    return Asked(old, log.proof(old), signed)


def refusal(witness: Witness, asked: Asked) -> int:
    with pytest.raises(Refused) as caught:
        witness.add(asked)
    return caught.value.status


def test_growth_is_cosigned_and_remembered(log: Log, witness: Witness, tmp_path: Path) -> None:
    old = 0
    for size in (3, 0, 253, 300):
        signed = log.add(entries(size, log.head.size))
        signature = witness.add(ask(log, signed, old))
        old = log.head.size
        assert witness.key.verify(signed.note.signed([signature]))
        again = Witness("other", SigningKey(new_pem()), [log.key], tmp_path / "witness")
        assert again.latest(ORIGIN) == log.head


def test_what_is_refused_is_refused_as_c2sp_has_it(log: Log, witness: Witness) -> None:
    signed = log.add(entries(5))
    witness.add(ask(log, signed, 0))
    more = log.add(entries(5, 5))
    other = Log(log.folder.path.with_name("other"), "other.example")
    stranger = Log(log.folder.path.with_name("stranger"), ORIGIN)
    empty = Checkpoint(ORIGIN, 0, bytes(32))

    assert refusal(witness, ask(other, other.add(entries(1)), 0)) == 404
    assert refusal(witness, ask(stranger, stranger.add(entries(1)), 0)) == 403
    forged = more.note._replace(text=more.note.text.replace("10", "11"))
    assert refusal(witness, Asked(5, [], SignedCheckpoint(Checkpoint.of(forged), forged))) == 403
    assert refusal(witness, Asked(11, [], more)) == 400
    assert refusal(witness, ask(log, more, 0)) == 409
    assert refusal(witness, ask(log, more, 6)) == 409
    assert refusal(witness, Asked(5, [bytes(32)], more)) == 422
    assert refusal(witness, Asked(0, [], SignedCheckpoint(empty, log.note(empty)))) == 409
    fresh = Witness("w2", SigningKey(new_pem()), [log.key], log.folder.path.with_name("w2"))
    assert refusal(fresh, Asked(0, [bytes(32)], more)) == 422
    assert refusal(fresh, Asked(0, [], SignedCheckpoint(empty, log.note(empty)))) == 422
    assert witness.latest(ORIGIN).size == 5


def test_a_hundred_roll_backs_and_forks_are_not_cosigned(log: Log, witness: Witness) -> None:
    choose = random.Random(7)
    kept = [log.head]
    for _ in range(20):
        old = log.head.size
        witness.add(ask(log, log.add(entries(choose.randint(1, 40), old)), old))
        kept.append(log.head)
    for number in range(100):
        size = choose.randrange(log.head.size)
        forked = Log(log.folder.path.with_name(f"fork-{number}"), ORIGIN)
        forked.signer = log.signer  # who owns the log has its key
        forked.add(entries(size))
        if number % 2:
            signed = forked.add([b"another", *entries(choose.randint(0, 900))])
        else:
            signed = SignedCheckpoint(forked.head, forked.note(forked.head))
        for old in {0, size, min(log.head.size, signed.checkpoint.size)}:
            assert refusal(witness, ask(forked, signed, old)) in {409, 422}

    assert witness.latest(ORIGIN) == log.head


def test_what_is_damaged_is_not_begun_anew(log: Log, witness: Witness, tmp_path: Path) -> None:
    signed = log.add(entries(5))
    witness.add(ask(log, signed, 0))
    (file,) = (tmp_path / "witness").glob("*.checkpoint")
    file.write_bytes(b"")

    with pytest.raises(OSError, match="cannot be read"):
        witness.add(ask(log, signed, 0))


def test_a_service_is_asked_and_says_what_it_has_cosigned(log: Log, witness: Witness) -> None:
    signed = log.add(entries(5))
    with serving(witness) as known:
        for _ in range(2):
            log.folder.put_cosigned(signed, known.cosign(log.folder, signed))
        assert cosigned(log.folder, [known])[witness.name].checkpoint == log.head
        before, signed = signed, log.add(entries(400, 5))
        known.cosign(log.folder, signed)
        with pytest.raises(Contradicted, match="has cosigned 405 entries"):
            known.cosign(log.folder, before)
        fork = Log(log.folder.path.with_name("fork"), ORIGIN)
        fork.signer = log.signer
        for size in (405, 1):
            signed = fork.add(entries(size, 1 + fork.head.size))
            with pytest.raises(Contradicted, match="has not grown from"):
                known.cosign(fork.folder, signed)
    with pytest.raises(OSError):  # noqa: PT011 - whatever the system calls it
        known.cosign(log.folder, signed)


def test_the_service_answers_what_is_no_request(witness: Witness) -> None:
    with serving(witness) as known:
        assert known.url is not None
        address = known.url.removeprefix("http://")
        found = []
        for path, body in (
            ("/add-checkpoint", b"nothing"),
            ("/add-checkpoint", b"old 01\n\no\n1\nA\n\n"),
            ("/add-checkpoint", b"x" * 70_000),
            ("/other", b""),
        ):
            connection = HTTPConnection(address)
            connection.request("POST", path, body)
            found.append(connection.getresponse().status)
            connection.close()

    assert found == [400, 400, 400, 404]


def test_a_cosignature_that_lies_beside_a_log_and_does_not_hold_is_none(
    log: Log, witness: Witness
) -> None:
    signed = log.add(entries(5))
    signature = witness.add(ask(log, signed, 0))
    known = KnownWitness(witness.key)
    assert cosigned(log.folder, [known]) == {}
    log.folder.put_cosigned(signed, signature._replace(content=signature.content[::-1]))
    assert cosigned(log.folder, [known]) == {}
    log.folder.put_cosigned(SignedCheckpoint(log.head, Note(signed.note.text)), signature)
    assert [*cosigned(log.folder, [known])] == [witness.name]


def test_witnesses_are_written_with_their_addresses(witness: Witness, log: Log) -> None:
    text = f"{witness.key} https://witness.example/w1/\n{witness.key}"

    assert KnownWitness.parse(text) == [
        KnownWitness(witness.key, "https://witness.example/w1"),
        KnownWitness(witness.key),
    ]
    with pytest.raises(DecodeError, match="key of a log"):
        KnownWitness.parse(str(log.key))
