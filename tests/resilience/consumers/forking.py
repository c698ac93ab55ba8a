"""An operator who owns server, store, notary and anchors rolls the log back, or forks it.

All that remembers the log is made to fit, so nothing of the deployment's own tells. A witness does.
"""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from consumers.audit.cosigning import Cosigning
from consumers.store.anchor_heads import AnchorHeads
from consumers.views.opening import open_databases
from synapse_stream.log.feeds import FeedLog
from synapse_stream.ports.audit import Report, Verdict, open_auditor
from synapse_stream.settings import Settings
from synapse_stream.tlog.notes import ED25519, SigningKey
from synapse_stream.tlog.witness import Witness
from tests.support.anchoring import folder, init, notary_of, private_key
from tests.support.chains import Chain
from tests.support.logs import new_pem
from tests.support.projecting import project
from tests.support.scenes.report import Result
from tests.support.servers import TestServer
from tests.support.witnesses import serving

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from synapse_stream.tlog.asking import KnownWitness

_STATES = 8
_JOB = "run"


class _Operator(NamedTuple):
    """Who owns a deployment."""

    settings: Settings
    log: FeedLog
    chain: Chain
    known: KnownWitness

    def grow(self) -> None:
        """Record something, and have it anchored."""
        message = {"type": "message", "content": f"{self.chain.last}", "level": "info"}
        self.log.append(self.chain.add(message))
        project(self.settings)
        with notary_of(self.settings) as notary:
            notary.begin(range(self.settings.partitions))

    def keep(self, name: str) -> None:
        """Copy the log and what this machine remembers of it."""
        for part in ("anchors", "anchors-remembered"):
            shutil.copytree(self.settings.data_dir / part, self.settings.data_dir / name / part)

    def put_back(self, name: str) -> None:
        """Have log, store, server and machine be as they were."""
        for part in ("anchors", "anchors-remembered"):
            shutil.rmtree(self.settings.data_dir / part)
            shutil.copytree(self.settings.data_dir / name / part, self.settings.data_dir / part)
        signed = folder(self.settings).checkpoint()
        assert signed is not None
        text = str(signed.note)
        with closing(open_databases(self.settings)) as databases:
            AnchorHeads(databases).remember({"checkpoint": text})
        self.log.note_checkpoint_of_anchors(text)

    def verify(self, *, witnesses: int) -> Report:
        with closing(open_auditor(self.settings, witnesses=witnesses)) as auditor:
            return auditor.verify(_JOB)


def roll_back_and_fork(home: Path, count: int, random: Random) -> Result:
    """Put the log back to a former state `count` times, and every other time sign on from there."""
    result = Result("roll-backs and forks of the log of anchors", count)
    with TestServer(home / "server") as server:
        settings = Settings(
            redis_url=server.url,
            data_dir=home / "data",
            partitions=1,
            anchors=home / "data" / "anchors",
            signing_key=private_key(),
        )
        init(settings)
        with serving(_witness(settings, home)) as known, closing(FeedLog.open(settings)) as log:
            named = settings.model_copy(update={"witnesses": f"{known.key} {known.url}"})
            operator = _Operator(named, log, Chain(_JOB), known)
            for number in range(_STATES):
                operator.grow()
                operator.keep(f"state-{number}")
            Cosigning(folder(settings), [known]).look(0.0)
            for number in range(count):
                _play(result, operator, random.randrange(_STATES - 1), is_fork=number % 2 == 1)
            operator.put_back(f"state-{_STATES - 1}")
            report = operator.verify(witnesses=1)
            result.tally.events += report.events
            result.require(report.verdict is Verdict.OPEN, f"put back: {report.findings[:1]}")
    return result


def _play(result: Result, operator: _Operator, state: int, *, is_fork: bool) -> None:
    what = f"{'fork' if is_fork else 'roll-back'} to state {state}"
    operator.put_back(f"state-{state}")
    for _ in range(_STATES if is_fork else 0):
        operator.grow()
    result.happened += 1
    without, report = operator.verify(witnesses=0), operator.verify(witnesses=1)
    result.require(without.verdict is Verdict.OPEN, f"{what}, no witness: {without.findings[:1]}")
    result.require(report.verdict is Verdict.BROKEN, f"{what} was not found")


def _witness(settings: Settings, home: Path) -> Witness:
    signed = folder(settings).checkpoint()
    assert signed is not None
    assert settings.signing_key is not None
    signer = SigningKey(settings.signing_key.get_secret_value().encode())
    log = signer.key(signed.checkpoint.origin, ED25519)
    return Witness("witness.example", SigningKey(new_pem()), [log], home / "witness")
