"""Who owns everything but a witness can roll a log back, or fork it: the witness tells."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

import pytest

from consumers.audit import witnessed
from consumers.audit.cosigning import Cosigning
from consumers.store.anchor_heads import AnchorHeads
from synapse_stream.errors import ConfigError
from synapse_stream.ports.audit import Verdict, open_auditor
from synapse_stream.tlog.asking import KnownWitness
from synapse_stream.tlog.notes import ED25519, SigningKey
from synapse_stream.tlog.proofs import consistency
from synapse_stream.tlog.witness import Asked, Witness
from tests.support.anchoring import anchor, folder, init, private_key, settings, signing
from tests.support.logs import new_pem
from tests.support.servers import wait_until
from tests.support.witnesses import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from synapse_stream.ports.audit import Report
    from tests.support.chains import Chain
    from tests.support.tampering import Deployment

__all__ = ["settings"]


class Watched(NamedTuple):
    """A deployment whose log is watched."""

    deployment: Deployment
    chain: Chain
    witness: Witness
    known: KnownWitness

    def grow(self) -> None:
        self.deployment.record(self.chain, [{}])
        self.deployment.project()
        anchor(self.deployment)

    def cosign(self) -> None:
        """Have the witness asked, as the notary does."""
        Cosigning(folder(self.deployment.settings), [self.known]).look(0.0)

    def look(self) -> None:
        """Have the witness look by itself."""
        log = folder(self.deployment.settings)
        signed = log.checkpoint()
        assert signed is not None
        old, size = self.witness.latest(signed.checkpoint.origin).size, signed.checkpoint.size
        proof = consistency(old, size, log.tiles(size).hash)
        log.put_cosigned(signed, self.witness.add(Asked(old, proof, signed)))

    def verify(self, *, has_address: bool = True) -> Report:
        known = self.known if has_address else KnownWitness(self.known.key)
        named = f"{known.key} {known.url or ''}"
        settings = self.deployment.settings.model_copy(update={"witnesses": named})
        auditor = open_auditor(settings, witnesses=1)
        try:
            return auditor.verify("job-1")
        finally:
            auditor.close()

    def keep(self, name: str) -> None:
        """Copy what its operator has: log, and what remembers it."""
        home = self.deployment.settings.data_dir
        for part in ("anchors", "anchors-remembered"):
            shutil.copytree(home / part, home / name / part)
        AnchorHeads(self.deployment.databases).recall()

    def put_back(self, name: str) -> None:
        """Have all that its operator has be as it was."""
        home = self.deployment.settings.data_dir
        for part in ("anchors", "anchors-remembered"):
            shutil.rmtree(home / part)
            shutil.copytree(home / name / part, home / part)
        signed = folder(self.deployment.settings).checkpoint()
        assert signed is not None
        AnchorHeads(self.deployment.databases).remember({"checkpoint": str(signed.note)})
        key = self.deployment.log.keys.anchors
        self.deployment.redis("HSET", key, "checkpoint", str(signed.note))


@pytest.fixture
def watched(deployment: Deployment, tmp_path: Path) -> Iterator[Watched]:
    settings = deployment.settings
    signed = folder(settings).checkpoint()
    assert signed is not None
    assert settings.signing_key is not None
    signer = SigningKey(settings.signing_key.get_secret_value().encode())
    log = signer.key(signed.checkpoint.origin, ED25519)
    witness = Witness("witness.example", SigningKey(new_pem()), [log], tmp_path / "witness")
    with serving(witness) as known:
        yield Watched(deployment, deployment.run(is_ended=False), witness, known)


def test_what_a_witness_has_cosigned_is_vouched_for(watched: Watched) -> None:
    for has_address in (True, False):
        watched.grow()
        watched.cosign()
        assert watched.verify(has_address=has_address).verdict is Verdict.OPEN
    watched.grow()

    assert watched.verify().verdict is Verdict.OPEN  # it is asked, and cosigns
    report = watched.verify(has_address=False)  # what lies there vouches for less
    assert (report.verdict, report.findings) == (Verdict.UNVERIFIED, [])
    assert any("0 of 1 witnesses vouch for the log" in note for note in report.notes)


@pytest.mark.parametrize("is_fork", [False, True], ids=["rolled back", "forked"])
def test_a_log_that_its_owner_rolled_back_or_forked_is_found(
    watched: Watched, *, is_fork: bool
) -> None:
    watched.grow()
    watched.keep("then")
    for _ in range(2):
        watched.grow()
    watched.cosign()
    watched.put_back("then")
    for _ in range(3 if is_fork else 0):
        watched.grow()

    without = watched.deployment.verify()
    report = watched.verify()

    assert without.verdict is Verdict.OPEN
    assert report.verdict is Verdict.BROKEN
    words = "has not grown from" if is_fork else "has cosigned 4 entries"
    assert any(words in finding.found for finding in report.findings)


def test_a_fork_does_not_fit_what_was_cosigned_before(watched: Watched) -> None:
    watched.grow()
    watched.keep("then")
    watched.grow()
    watched.look()
    cosigned = folder(watched.deployment.settings).cosigned(watched.known.key)
    assert cosigned is not None
    watched.put_back("then")
    for _ in range(2):
        watched.grow()
    (signature,) = (s for s in cosigned.note.signatures if s.key_id == watched.known.key.id)
    folder(watched.deployment.settings).put_cosigned(cosigned, signature)

    report = watched.verify(has_address=False)

    assert report.verdict is Verdict.BROKEN
    assert "as witness.example has it" in report.findings[0].expected


def test_an_old_cosignature_does_not_vouch_for_a_log_now(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.grow()
    watched.look()
    assert watched.verify(has_address=False).verdict is Verdict.OPEN
    monkeypatch.setattr(witnessed, "OLDEST_SECONDS", -1)

    report = watched.verify(has_address=False)

    assert report.verdict is Verdict.UNVERIFIED
    assert any("is older than" in note for note in report.notes)


def test_a_witness_that_is_away_vouches_for_nothing(watched: Watched) -> None:
    watched.grow()
    away = watched._replace(known=watched.known._replace(url="http://127.0.0.1:1"))

    report = away.verify()

    assert report.verdict is Verdict.UNVERIFIED
    assert any("does not answer" in note for note in report.notes)
    with pytest.raises(ConfigError, match="names 0"):
        open_auditor(watched.deployment.settings, witnesses=1)


def test_the_notary_has_its_log_cosigned_and_stops_when_that_is_refused(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    deployment, known = watched.deployment, watched.known
    deployment.settings = deployment.settings.model_copy(
        update={"witnesses": f"{known.key} {known.url}"}
    )
    log = folder(deployment.settings)
    deployment.project()
    watched.keep("then")
    with signing(deployment.settings):
        wait_until(lambda: watched.verify(has_address=False).verdict is Verdict.OPEN)
    for _ in range(2):
        watched.grow()
    watched.cosign()
    watched.put_back("then")
    with signing(deployment.settings):
        wait_until(lambda: "has cosigned 4 entries" in caplog.text)
        signed = log.checkpoint()
        assert signed is not None
        assert signed.checkpoint.size < 4
    assert "has cosigned 4" in str(AnchorHeads(deployment.databases).refused())


def test_a_log_begun_anew_is_another_that_the_witness_does_not_know(watched: Watched) -> None:
    watched.grow()
    shutil.rmtree(folder(watched.deployment.settings).path)
    init(watched.deployment.settings.model_copy(update={"signing_key": private_key()}))

    with pytest.raises(Exception, match="is not watched"):
        watched.look()
