"""Tampering: whatever is done to a run, verifying finds it, or says that nothing vouches for it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from synapse_stream import open_run
from synapse_stream.log.feeds import FeedLog
from synapse_stream.ports.audit import Report, Verdict, open_auditor
from synapse_stream.settings import Settings
from tests.resilience.consumers import forging
from tests.support.anchoring import init, notary_of, private_key
from tests.support.chains import Chain
from tests.support.projecting import project
from tests.support.scenes.report import Result
from tests.support.servers import TestServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

    from tests.resilience.consumers.forging import Placed

    Tamper = Callable[[list[Placed], Random], list[Placed]]

_HALF: tuple[Tamper, ...] = (forging.change, forging.delete, forging.insert, forging.swap)
"""Done to the stream or to the archive, digests and manifest made to fit."""
_WHOLE: tuple[Tamper, ...] = (forging.cut_tail, forging.drop_run, forging.rechain)
"""Done everywhere, so that all fits: only anchors tell."""

_REPORTS = 40


def tamper_with_runs(home: Path, count: int, random: Random) -> Result:
    """Tamper with a run `count` times, each of seven kinds as often, and verify it each time."""
    kinds = (*_HALF, *_WHOLE)
    result = Result(f"tamperings, {len(kinds)} kinds", count)
    with TestServer(home / "server") as server:
        settings = Settings(
            redis_url=server.url,
            data_dir=home / "data",
            partitions=2,
            anchors=home / "anchors",
            signing_key=private_key(),
        )
        init(settings)
        jobs = _record(settings)
        with closing(FeedLog.open(settings)) as log:
            forger = forging.Forger(settings, log, home)
            for job in jobs:
                report = _verify(settings, job)
                result.tally.events += report.events
                result.require(not report.findings, f"untouched {job}: {report.findings[:1]}")
            for number in range(count):
                _play(result, settings, forger, random.choice(jobs), kinds[number % 7], random)
                forger.restore()
            for job in jobs:
                result.require(not _verify(settings, job).findings, f"{job} was not put back")
    return result


def _play(
    result: Result,
    settings: Settings,
    forger: forging.Forger,
    job: str,
    tamper: Tamper,
    random: Random,
) -> None:
    entries = forger.entries(job)
    forged = tamper(entries, random)
    result.happened += forged != entries
    what = f"{tamper.__name__} of {job}"
    if tamper in _WHOLE:
        forger.forge_all(job, forged)
        report = _verify(settings.model_copy(update={"anchors": None}), job)
        sure = [one.producer for one in report.producers if one.anchored >= 0]
        is_sound = report.record is not Verdict.BROKEN  # its views were dropped, which is found
        result.require(is_sound, f"{what} without anchors: {report.findings[:1]}")
        result.require(not sure, f"{what} without anchors vouches for {sure}")
    else:
        forge = random.choice((forger.forge_stream, forger.forge_archive))
        what += f", {forge.__name__}"
        forge(job, forged)
    report = _verify(settings, job)
    result.require(report.verdict is Verdict.BROKEN, f"{what} was not found")


def _verify(settings: Settings, job: str) -> Report:
    with closing(open_auditor(settings)) as auditor:
        return auditor.verify(job)


def _record(settings: Settings) -> list[str]:
    """Record, project and anchor a run that has ended, and one of two producers that goes on."""
    with open_run("ended", env={}, settings=settings) as run:
        for number in range(_REPORTS):
            run.set_metrics({"loss": 1 / (number + 1)}, "fit")
            run.log_message(f"report {number}")
            run.flush()
    with closing(FeedLog.open(settings)) as log:
        chains = [Chain("open", f"producer-{number}") for number in range(2)]
        for number in range(_REPORTS):
            event = {"type": "message", "content": f"report {number}", "level": "info"}
            log.append(chains[number % 3 % 2].add(*[event] * (number % 4 + 1)))
    project(settings)
    with notary_of(settings) as notary:
        notary.begin(range(settings.partitions))
    return ["ended", "open"]
