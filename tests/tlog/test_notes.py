"""Signed notes and checkpoints are those of C2SP: its own examples hold, and nothing else does."""

from __future__ import annotations

import pytest

from synapse_stream.errors import ConfigError, DecodeError
from synapse_stream.tlog.checkpoint import Checkpoint, SignedCheckpoint
from synapse_stream.tlog.notes import COSIGNATURE, ED25519, Key, Note, SigningKey
from tests.support.logs import new_pem

# From c2sp.org/signed-note.
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
# From c2sp.org/tlog-cosignature.
COSIGNED = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/"
    "Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2"
    "oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)


def test_the_example_of_the_specification_holds() -> None:
    key, note = Key.parse(VKEY), Note.parse(NOTE.encode())

    assert key.verify(note) == 0
    assert (str(key), str(note)) == (VKEY, NOTE)
    with pytest.raises(DecodeError, match="wrong"):
        key.verify(note._replace(text="This is an example message!\n"))


def test_a_checkpoint_is_read_and_written_as_it_stands() -> None:
    found = SignedCheckpoint.parse(COSIGNED.encode())

    assert found.checkpoint.origin == "example.com/behind-the-sofa"
    assert found.checkpoint.size == 20852163
    assert (found.checkpoint.text, str(found.note)) == (found.note.text, COSIGNED)


def test_who_has_signed_is_told_from_who_has_not() -> None:
    signer, witness = SigningKey(new_pem()), SigningKey(new_pem())
    text = Checkpoint("log.example/1", 7, bytes(32)).text
    note = Note(text, (signer.signed("log.example/1", text),))
    cosigned = note.signed([witness.cosigned("witness.example", text, 1_700_000_000)])
    log = signer.key("log.example/1", ED25519)
    cosigner = witness.key("witness.example", COSIGNATURE)

    assert [log.verify(one) for one in (note, cosigned)] == [0, 0]
    assert [cosigner.verify(one) for one in (note, cosigned)] == [None, 1_700_000_000]
    assert Note.parse(str(cosigned).encode()) == cosigned
    assert Key.parse(str(cosigner)) == cosigner
    other = Checkpoint("log.example/1", 8, bytes(32)).text
    for key in (log, cosigner):
        with pytest.raises(DecodeError, match="wrong"):
            key.verify(cosigned._replace(text=other))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no signature\n",
        "a\n\n- b YWJjZGU=\n",
        "a\n\n— b YWJjZGU=",
        "a\n\n— b YWJj\n",
        "a\n\n— b+c YWJjZGU=\n",
        "a\n\n— b YWJjZG V=\n",
        "a\n\n— b YWJjZGV=\n",
        "a\r\n\n— b YWJjZGU=\n",
        "a\n\n" + "— b YWJjZGU=\n" * 65,
    ],
)
def test_what_is_no_note_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        Note.parse(text.encode())


@pytest.mark.parametrize(
    "text",
    ["o\n1\n", "o\n01\nA\n", "o\n1\nAAAA\n", "\n1\n{}\n", "o\n-1\n{}\n", "o\n1\n{}\nmore\n"],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    assert Checkpoint.of(Note(f"o\n1\n{root}\n")).size == 1

    with pytest.raises(DecodeError):
        Checkpoint.of(Note(text.format(root)))


@pytest.mark.parametrize("text", ["", "a", "a+b+c", VKEY[:-4], VKEY.replace("530d", "540d")])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        Key.parse(text)


def test_what_is_no_private_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="no Ed25519 private key"):
        SigningKey(b"no key")
