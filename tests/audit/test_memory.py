"""Anchors that were asked for and are not there vouch for nothing, and nobody signs behind them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from consumers.audit.anchoring import anchors_of
from consumers.audit.notary import open_notary
from consumers.errors import AnchorsRefused
from consumers.store.anchor_heads import AnchorHeads
from consumers.views.archive.raw import RawArchive
from synapse_stream.ports.audit import Verdict, open_auditor
from tests.support.anchoring import settings, sign

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.tampering import Deployment

__all__ = ["settings"]

_TIMES = 12


@pytest.fixture
def file(deployment: Deployment) -> Path:
    """Record a run that is anchored again and again; return the file of its anchors."""
    deployment.run(is_ended=False)
    deployment.project()
    for _ in range(_TIMES):
        sign(deployment)
    (file,) = deployment.settings.anchors.iterdir()  # type: ignore[union-attr]
    return file


def lines(deployment: Deployment) -> int:
    anchors = anchors_of(deployment.settings)
    assert anchors is not None
    return len(list(anchors.lines(deployment.settings.namespace, 0)))


def refused(deployment: Deployment) -> str:
    """Return why nothing is signed; nothing must have been added."""
    before = lines(deployment)
    with pytest.raises(AnchorsRefused) as error:
        sign(deployment)
    assert lines(deployment) == before
    assert AnchorHeads(deployment.databases).refused() == {0: str(error.value)}
    return str(error.value)


def test_a_cut_tail_is_no_proof_and_nothing_is_signed_behind_it(
    deployment: Deployment, file: Path
) -> None:
    whole = file.read_bytes()
    assert deployment.verify().verdict is Verdict.OPEN
    for kept in range(_TIMES):
        file.write_bytes(b"".join(whole.splitlines(keepends=True)[:kept]))

        report = deployment.verify()

        assert (report.verdict, report.findings) == (Verdict.UNVERIFIED, [])
        assert any(f"{kept} anchors in" in note for note in report.notes)
        assert f"it has {kept}:" in refused(deployment)
    file.write_bytes(whole)
    sign(deployment)

    assert deployment.verify().verdict is Verdict.OPEN
    assert AnchorHeads(deployment.databases).refused() == {}


@pytest.mark.parametrize("place", ["the store", "the server", "this machine"])
def test_each_who_remembers_is_enough(deployment: Deployment, file: Path, place: str) -> None:
    shutil.rmtree(file.parent)
    if place != "the store":
        AnchorHeads(deployment.databases).remember(0, {})
    if place != "the server":
        deployment.redis("DEL", deployment.log.keys.anchors)
    if place != "this machine":
        shutil.rmtree(deployment.settings.data_dir / "anchors-remembered")

    report = deployment.verify()

    assert report.verdict is Verdict.UNVERIFIED
    assert any(f"but {place} remembers {_TIMES}" in note for note in report.notes)
    assert refused(deployment).startswith(f"{place} remembers {_TIMES} anchors")


def test_other_anchors_signed_with_the_same_key_are_a_difference(
    deployment: Deployment, file: Path
) -> None:
    kept, whole = deployment.settings.data_dir / "anchors-remembered", file.read_bytes()
    head = AnchorHeads(deployment.databases).recall(0)["head"]
    noted = deployment.redis("HGET", deployment.log.keys.anchors, 0)
    shutil.move(kept, kept.with_name("away"))
    file.unlink()
    AnchorHeads(deployment.databases).remember(0, {})
    deployment.redis("DEL", deployment.log.keys.anchors)
    for _ in range(_TIMES):  # who owns all that remembers can have others signed, as many
        sign(deployment)
    assert file.read_bytes() != whole
    shutil.rmtree(kept)
    shutil.move(kept.with_name("away"), kept)
    AnchorHeads(deployment.databases).remember(0, {"head": head})
    deployment.redis("HSET", deployment.log.keys.anchors, 0, noted)

    report = deployment.verify()

    assert report.verdict is Verdict.BROKEN
    assert "as the store remembers line 12" in report.findings[0].expected
    assert "its line 12 is another" in refused(deployment)


def test_anchors_that_were_asked_for_and_cannot_be_checked_are_no_proof(
    deployment: Deployment, file: Path
) -> None:
    del file
    for name in ("signing_key", "anchors"):
        report = deployment.verify(**{name: None})  # type: ignore[arg-type]

        assert (report.verdict, report.findings) == (Verdict.UNVERIFIED, [])
    assert deployment.verify(signing_key=None, anchors=None).verdict is Verdict.OPEN


def test_the_notary_says_why_it_signs_no_more(
    deployment: Deployment, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_bytes(b"")
    notary = open_notary(RawArchive(deployment.databases), deployment.settings, 0)
    assert notary is not None

    notary.look(pause_seconds=0)

    assert file.read_bytes() == b""
    assert f"remembers {_TIMES} anchors" in caplog.text


def test_the_auditor_has_nothing_to_begin_where_nothing_is_gone(
    deployment: Deployment, file: Path
) -> None:
    del file
    auditor = open_auditor(deployment.settings)
    begun = auditor.begin_anchors()
    auditor.close()

    assert begun == []
