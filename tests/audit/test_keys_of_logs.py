"""Keys of the log: one lets another in, and revokes it; nobody else does."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import orjson
import pytest
from pydantic import SecretStr

from consumers.audit.ring import Ring, change_of_keys
from synapse_stream.errors import ConfigError, DecodeError
from synapse_stream.ports.anchors import open_anchors
from synapse_stream.ports.audit import Verdict
from synapse_stream.tlog.checkpoint import Checkpoint, SignedCheckpoint
from synapse_stream.tlog.notes import ED25519, Key, Note, SigningKey
from tests.support.anchoring import anchor, folder, settings
from tests.support.commands import command, environment
from tests.support.logs import new_pem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from synapse_stream.settings import Settings
    from tests.support.chains import Chain
    from tests.support.commands import Said
    from tests.support.tampering import Deployment

__all__ = ["command", "environment", "settings"]


def signed_by(key: SigningKey, size: int) -> SignedCheckpoint:
    checkpoint = Checkpoint("a.log", size, bytes(32))
    text = checkpoint.text
    return SignedCheckpoint(checkpoint, Note(text, (key.signed("a.log", text),)))


def test_keys_may_sign_from_where_they_were_let_in_to_where_they_were_revoked() -> None:
    old, new, stranger = (SigningKey(new_pem()) for _ in range(3))
    ring = Ring("a.log", [old.public])
    ring.take(5, loads(change_of_keys(old, new.public, time_ms=0, is_revoked=False)))
    ring.take(8, loads(change_of_keys(new, old.public, time_ms=0, is_revoked=True)))

    def may(key: SigningKey, size: int) -> bool:
        try:
            ring.check(signed_by(key, size))
        except DecodeError:
            return False
        return True

    assert [size for size in range(12) if may(old, size)] == list(range(9))
    assert [size for size in range(12) if may(new, size)] == list(range(6, 12))
    assert not any(may(stranger, size) for size in range(12))
    further = loads(change_of_keys(stranger, stranger.public, time_ms=0, is_revoked=False))
    ring.take(9, further)
    for by, number in ((old, 9), (new, 4)):
        further = loads(change_of_keys(by, stranger.public, time_ms=0, is_revoked=False))
        with pytest.raises(DecodeError, match="no key that may sign"):
            ring.take(number, further)
    forged = loads(change_of_keys(new, stranger.public, time_ms=0, is_revoked=False))
    for name, value in (("key", old.public.hex()), ("type", "revocation"), ("time_ms", 1)):
        with pytest.raises(DecodeError, match="no key that may sign"):
            ring.take(9, forged | {name: value})
    with pytest.raises(DecodeError, match="tells of no key"):
        ring.take(9, {})
    assert not any(may(stranger, size) for size in range(12))


def loads(entry: bytes) -> dict[str, object]:

    found = orjson.loads(entry)
    assert isinstance(found, dict)
    return found


def with_key(settings: Settings, pem: bytes) -> Settings:
    return settings.model_copy(update={"signing_key": SecretStr(pem.decode())})


def vkey_of(settings: Settings) -> str:
    """Return the verifier key of who signs."""
    signed = folder(settings).checkpoint()
    assert signed is not None
    assert settings.signing_key is not None
    signer = SigningKey(settings.signing_key.get_secret_value().encode())
    return str(signer.key(signed.checkpoint.origin, ED25519))


def grow(deployment: Deployment, chain: Chain) -> None:
    deployment.record(chain, [{}])
    deployment.project()
    anchor(deployment)


def test_a_key_is_replaced_and_who_believes_either_believes_the_log(
    deployment: Deployment, tmp_path: Path
) -> None:
    old, new = deployment.settings, with_key(deployment.settings, new_pem())
    chain = deployment.run(is_ended=False)
    grow(deployment, chain)
    assert new.signing_key is not None
    with closing(open_anchors(old)) as log:
        assert log.let_in(new.signing_key.get_secret_value().encode()) == vkey_of(new)
    with closing(open_anchors(new)) as log:
        log.revoke(Key.parse(vkey_of(old)))
        with pytest.raises(ConfigError, match="cannot revoke itself"):
            log.revoke(Key.parse(vkey_of(new)))
    deployment.settings = new
    grow(deployment, chain)

    for key in (vkey_of(old), vkey_of(new)):
        report = deployment.verify(signing_key=None, verify_keys=key)
        assert (report.verdict, report.findings) == (Verdict.OPEN, [])
        assert [one.anchored for one in report.producers] == [chain.last]
    deployment.settings = old
    with pytest.raises(ConfigError, match="may not sign"):
        grow(deployment, chain)


def test_keys_are_changed_by_commands(
    settings: Settings,
    command: Callable[..., Said],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "new.pem"
    file.write_bytes(new_pem())
    assert settings.signing_key is not None
    monkeypatch.setenv("SYNAPSE_STREAM_PARTITIONS", "1")
    monkeypatch.setenv("SYNAPSE_STREAM_ANCHORS", str(settings.anchors))
    monkeypatch.setenv("SYNAPSE_STREAM_SIGNING_KEY", settings.signing_key.get_secret_value())

    let = command("anchors", "let-in", str(file))
    monkeypatch.setenv("SYNAPSE_STREAM_SIGNING_KEY", f"@{file}")
    gone = command("anchors", "revoke", vkey_of(settings))

    assert let.out == f"verifier key: {vkey_of(with_key(settings, file.read_bytes()))}\n"
    assert gone.out == "revoked from entry 2 of the log on\n"
    assert command("anchors", "revoke", let.out.split()[-1]).code == 2
    assert command("anchors", "revoke", "no key").code == 2


def test_what_a_revoked_key_has_signed_is_not_believed(deployment: Deployment) -> None:
    old, new = deployment.settings, with_key(deployment.settings, new_pem())
    grow(deployment, deployment.run(is_ended=False))
    assert old.signing_key is not None
    assert new.signing_key is not None
    with closing(open_anchors(old)) as log:
        log.let_in(new.signing_key.get_secret_value().encode())
    with closing(open_anchors(new)) as log:
        log.revoke(Key.parse(vkey_of(old)))
    signer, home = SigningKey(old.signing_key.get_secret_value().encode()), folder(old)
    signed = home.checkpoint()
    assert signed is not None
    name, text = signed.checkpoint.origin, signed.note.text
    home.write("checkpoint", str(Note(text, (signer.signed(name, text),))).encode())

    report = deployment.verify()

    assert report.verdict is Verdict.BROKEN
    assert "no key that is believed has signed" in report.findings[0].found
