"""Anchors that were asked for and are not there vouch for nothing, and nobody signs behind them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from consumers.audit.signing import NotaryLoop
from consumers.errors import AnchorsRefused
from consumers.store.anchor_heads import AnchorHeads
from synapse_stream.errors import ConfigError
from synapse_stream.ports.audit import Verdict
from tests.support.anchoring import anchor, folder, init, logged, settings, signing
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.chains import Chain
    from tests.support.tampering import Deployment

__all__ = ["settings"]

_TIMES = 6


@pytest.fixture
def chain(deployment: Deployment) -> Chain:
    """Record a run that goes on, for it to be anchored again and again."""
    return deployment.run(is_ended=False)


@pytest.fixture
def log(deployment: Deployment, chain: Chain) -> Path:
    """Anchor the run several times, beside a copy of each state; return the log's folder."""
    home = folder(deployment.settings).path
    for number in range(_TIMES):
        grow(deployment, chain)
        shutil.copytree(home, state(home, number))
    return home


def state(home: Path, number: int) -> Path:
    return home.parents[1] / f"state-{number}"


def put(home: Path, kept: Path) -> None:
    shutil.rmtree(home)
    shutil.copytree(kept, home)


def grow(deployment: Deployment, chain: Chain) -> None:
    deployment.record(chain, [{}])
    deployment.project()
    anchor(deployment)


def refused(deployment: Deployment, chain: Chain) -> str:
    """Return why nothing is signed; nothing must have been added."""
    checkpoint = folder(deployment.settings).path / "checkpoint"
    before = checkpoint.read_bytes() if checkpoint.exists() else None
    with pytest.raises(AnchorsRefused) as error:
        grow(deployment, chain)
    assert (checkpoint.read_bytes() if checkpoint.exists() else None) == before
    assert AnchorHeads(deployment.databases).refused() == str(error.value)
    return str(error.value)


def test_a_cut_tail_is_no_proof_and_nothing_is_signed_behind_it(
    deployment: Deployment, chain: Chain, log: Path
) -> None:
    assert deployment.verify().verdict is Verdict.OPEN
    for number in range(_TIMES - 1):
        put(log, state(log, number))

        report = deployment.verify()

        assert (report.verdict, report.findings) == (Verdict.UNVERIFIED, [])
        assert any(f"there are {number + 2} entries" in note for note in report.notes)
        assert f"remembers {_TIMES + 1} entries" in refused(deployment, chain)
    put(log, state(log, _TIMES - 1))
    grow(deployment, chain)

    assert deployment.verify().verdict is Verdict.OPEN
    assert AnchorHeads(deployment.databases).refused() is None


def test_a_log_whose_place_is_empty_is_no_proof(
    deployment: Deployment, chain: Chain, log: Path
) -> None:
    shutil.rmtree(log.parent)

    report = deployment.verify()

    assert (report.verdict, report.findings) == (Verdict.UNVERIFIED, [])
    assert any("there is no log of anchors in" in note for note in report.notes)
    assert "but there is no log in" in refused(deployment, chain)


@pytest.mark.parametrize("place", ["the store", "the server", "this machine"])
def test_each_who_remembers_is_enough(
    deployment: Deployment, chain: Chain, log: Path, place: str
) -> None:
    put(log, state(log, 0))
    if place != "the store":
        AnchorHeads(deployment.databases).remember({})
    if place != "the server":
        deployment.redis("DEL", deployment.log.keys.anchors)
    if place != "this machine":
        shutil.rmtree(deployment.settings.data_dir / "anchors-remembered")

    report = deployment.verify()

    assert report.verdict is Verdict.UNVERIFIED
    assert any(f"but {place} remembers {_TIMES + 1}" in note for note in report.notes)
    assert refused(deployment, chain).startswith(f"{place} remembers {_TIMES + 1} entries")


def forget(deployment: Deployment) -> dict[str, object]:
    """Have all forget what they remember; return it, for `recall`."""
    kept = deployment.settings.data_dir / "anchors-remembered"
    shutil.copytree(kept, kept.with_name("away"), dirs_exist_ok=True)
    shutil.rmtree(kept)
    found = {
        "store": AnchorHeads(deployment.databases).recall(),
        "server": deployment.redis("HGET", deployment.log.keys.anchors, "checkpoint"),
    }
    AnchorHeads(deployment.databases).remember({})
    deployment.redis("DEL", deployment.log.keys.anchors)
    return found


def recall(deployment: Deployment, found: dict[str, object]) -> None:
    kept = deployment.settings.data_dir / "anchors-remembered"
    shutil.rmtree(kept)
    shutil.move(kept.with_name("away"), kept)
    AnchorHeads(deployment.databases).remember(found["store"])  # type: ignore[arg-type]
    deployment.redis("HSET", deployment.log.keys.anchors, "checkpoint", found["server"])


def test_a_fork_that_the_same_key_has_signed_is_a_difference(
    deployment: Deployment, chain: Chain, log: Path
) -> None:
    found = forget(deployment)
    put(log, state(log, 2))
    for _ in range(_TIMES):  # who owns all that remembers can have others signed, more of them
        grow(deployment, chain)
    recall(deployment, found)

    report = deployment.verify()

    assert report.verdict is Verdict.BROKEN
    assert any("as the store has it" in finding.expected for finding in report.findings)
    assert "has others in their place" in refused(deployment, chain)


def test_another_log_is_a_difference(deployment: Deployment, chain: Chain, log: Path) -> None:
    found = forget(deployment)
    shutil.rmtree(log)
    init(deployment.settings)
    grow(deployment, chain)
    recall(deployment, found)

    report = deployment.verify()

    assert report.verdict is Verdict.BROKEN
    assert all(finding.found.endswith("another log") for finding in report.findings)
    assert "another log" in refused(deployment, chain)


def test_hashes_that_are_others_than_the_entries_are_not_gone_on_from(
    deployment: Deployment, chain: Chain, log: Path
) -> None:
    tile = log / f"tile/0/000.p/{_TIMES + 1}"
    tile.write_bytes(tile.read_bytes()[::-1])

    refused(deployment, chain)


def test_anchors_that_were_asked_for_and_cannot_be_checked_are_no_proof(
    deployment: Deployment, log: Path
) -> None:
    del log
    for name in ("signing_key", "anchors"):
        report = deployment.verify(**{name: None})  # type: ignore[arg-type]

        assert (report.verdict, report.findings) == (Verdict.UNVERIFIED, [])
    assert deployment.verify(signing_key=None, anchors=None).verdict is Verdict.OPEN


def test_the_notary_says_why_it_signs_no_more_and_goes_on_when_all_is_there_again(
    deployment: Deployment, chain: Chain, log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(log, state(log, 0))
    with signing(deployment.settings):
        wait_until(lambda: f"remembers {_TIMES + 1} entries" in caplog.text)
        assert len(logged(deployment.settings)) == 1
        put(log, state(log, _TIMES - 1))
        deployment.record(chain, [{}])
        deployment.project()
        wait_until(lambda: len(logged(deployment.settings)) == _TIMES + 1)


def test_the_notary_begins_no_log_by_itself(deployment: Deployment, chain: Chain) -> None:
    forget(deployment)
    shutil.rmtree(folder(deployment.settings).path)

    assert "`synapse-stream anchors init` begins one" in refused(deployment, chain)
    for name in ("anchors", "signing_key"):
        with pytest.raises(ConfigError, match="to sign anchors takes"):
            NotaryLoop(deployment.settings.model_copy(update={name: None}))


def test_there_is_nothing_to_begin_where_nothing_is_gone(deployment: Deployment, log: Path) -> None:
    del log
    assert init(deployment.settings) == []
