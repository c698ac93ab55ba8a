"""The log of anchors: what it vouches for, and what only it can find."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from consumers.audit.signing import voucher_of
from consumers.views.archive.removal import expired
from consumers.views.archive.removal import remove as remove_run
from consumers.views.opening import open_store
from synapse_stream.errors import ConfigError
from synapse_stream.ports.audit import Verdict, open_auditor
from synapse_stream.settings import Settings
from synapse_stream.tlog.notes import ED25519, SigningKey
from tests.support.anchoring import (
    anchor,
    folder,
    init,
    logged,
    notary_of,
    private_key,
    sign_removals,
    signing,
)
from tests.support.projecting import Consumers
from tests.support.servers import wait_until
from tests.support.tampering import Deployment, rechained

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.chains import Chain
    from tests.support.servers import TestServer


@pytest.fixture
def settings(server: TestServer, namespace: str, tmp_path: Path) -> Iterator[Settings]:
    """Have a log of anchors."""
    anchored = Settings(
        redis_url=server.url,
        namespace=namespace,
        data_dir=tmp_path,
        partitions=2,
        anchors=tmp_path / "anchors",
        signing_key=private_key(),
    )
    init(anchored)
    yield anchored
    with server.client() as client:
        client.flushall()


@pytest.fixture
def run(deployment: Deployment) -> Chain:
    """Record a run that goes on, project and anchor it."""
    chain = deployment.run(is_ended=False)
    deployment.project()
    anchor(deployment)
    return chain


def remove(deployment: Deployment, *, signed: bool = True) -> int:
    """Remove all runs from the archive, as retention does, or as who can write the store may."""
    now_ms = time.time_ns() // 1_000_000 + 1
    with closing(open_store(deployment.settings)) as store:
        database, partitions = store.databases.of("archive"), range(deployment.settings.partitions)
        vouch = voucher_of(store.databases) if signed else None
        found = expired(database, partitions, before_ms=0, spare_ms=now_ms, most_bytes=0)
        return sum(remove_run(database, run, now_ms=now_ms, vouch=vouch) for run in found)


def remove_signed(deployment: Deployment) -> None:
    """Have removals asked for and signed, and then done."""
    assert remove(deployment) == 0
    sign_removals(deployment)
    assert remove(deployment)


def anchored(deployment: Deployment) -> list[int]:
    """Return how many entries each anchor tells of."""
    return [entry["entries"] for entry in logged(deployment.settings)]


def test_a_run_is_anchored_when_it_begins_and_when_it_ends(deployment: Deployment) -> None:
    with Consumers(deployment.settings), signing(deployment.settings):
        chain = deployment.run(batches=0, is_ended=False)
        wait_until(lambda: anchored(deployment)[-1:] == [1])
        for _ in range(3):
            deployment.record(chain, [{}])
        deployment.record(chain, [{"type": "end", "status": "completed"}])
        wait_until(lambda: anchored(deployment)[-1:] == [5])

    report = deployment.verify()

    assert report.findings == []
    assert [one.anchored for one in report.producers] == [chain.last]


def test_a_run_that_goes_on_is_anchored_as_often_as_is_set(deployment: Deployment) -> None:
    chain = deployment.run(batches=0, is_ended=False)
    deployment.project()
    log = deployment.log
    with notary_of(deployment.settings) as notary:
        notary.begin([0, 1])
        (place,) = (p for p in (0, 1) if log.read_feed(p, (0, 0)))
        deployment.record(chain, [{}], [{}])
        deployment.project()
        notary.take(place, log.read_feed(place, (0, 0))[1:], 1_000.0)
        for now in (1_001.0, 1_059.0):
            notary.look(log.read_pointed, now)
            assert anchored(deployment) == [1]
        notary.look(log.read_pointed, 1_060.0)
        assert anchored(deployment) == [1, 3]
        notary.look(log.read_pointed, 2_000.0)

    assert anchored(deployment) == [1, 3]


def test_an_end_is_anchored_when_the_archive_has_it(deployment: Deployment) -> None:
    chain = deployment.run(batches=1, is_ended=False)
    deployment.project()
    log = deployment.log
    with notary_of(deployment.settings) as notary:
        notary.begin([0, 1])
        (place,) = (p for p in (0, 1) if log.read_feed(p, (0, 0)))
        deployment.record(chain, [{"type": "end", "status": "completed"}])
        notary.take(place, log.read_feed(place, (0, 0))[2:], 1_000.0)
        notary.look(log.read_pointed, 1_001.0)
        assert anchored(deployment) == [2]
        deployment.project()
        notary.look(log.read_pointed, 1_002.0)

    assert anchored(deployment) == [2, 3]


def test_what_came_behind_the_last_anchor_is_unanchored(deployment: Deployment, run: Chain) -> None:
    sure = run.last
    deployment.record(run, [{}, {}])

    (producer,) = deployment.verify().producers

    assert (producer.anchored, producer.last) == (sure, sure + 2)


def test_without_a_key_or_anchors_all_is_unanchored_and_it_is_said(
    deployment: Deployment, run: Chain
) -> None:
    for setting, words in (("signing_key", "no key"), ("anchors", "no anchors")):
        report = deployment.verify(**{setting: None})  # type: ignore[arg-type]

        assert report.findings == []
        assert [one.anchored for one in report.producers] == [-1]
        assert any(words in note for note in report.notes)


def verifier(deployment: Deployment, secret: SecretStr | None = None) -> str:
    """Return the verifier key of the log, or of another key under its name."""
    signed = folder(deployment.settings).checkpoint()
    secret = secret or deployment.settings.signing_key
    assert signed is not None
    assert secret is not None
    signer = SigningKey(secret.get_secret_value().encode())
    return str(signer.key(signed.checkpoint.origin, ED25519))


def test_a_public_key_is_enough_to_verify(
    deployment: Deployment, run: Chain, tmp_path: Path
) -> None:
    key, file = verifier(deployment), tmp_path / "keys"
    file.write_text(f"{verifier(deployment, private_key())}\n{key}\n")

    for given in (key, f"@{file}"):
        report = deployment.verify(signing_key=None, verify_keys=given)
        assert report.findings == []
        assert [one.anchored for one in report.producers] == [run.last]


def forget_everything(deployment: Deployment, *jobs: str) -> None:
    """Take jobs out of streams and stores, as whoever may write to both can do."""
    for name in ("archive", "run-state", "metric-history", "message-feed"):
        with deployment.databases.of(name).write("test") as connection:
            for table in ("block", "chunk", "peak", "series", "message", "lane", "job"):
                kept = " WHERE projection != 'anchors'" if table == "job" else ""
                connection.exec_driver_sql(f"DELETE FROM {table}{kept}")
    for job in jobs:
        deployment.redis("DEL", deployment.log.keys.job(job), deployment.log.keys.producers(job))


@pytest.mark.parametrize("kind", ["re-chained suffix", "cut tail", "removed run"])
def test_only_an_anchor_finds_what_was_made_consistent_everywhere(
    deployment: Deployment, run: Chain, kind: str
) -> None:
    forget_everything(deployment, "job-1")
    batches = {
        "re-chained suffix": rechained(run, 3),
        "cut tail": run.batches[:4],
        "removed run": [],
    }[kind]
    for batch in batches:
        deployment.append(batch)
    if batches:
        deployment.project()

    without = deployment.verify(anchors=None)
    report = deployment.verify()

    assert without.findings == []
    assert all(one.anchored == -1 for one in without.producers)
    assert report.verdict is Verdict.BROKEN
    assert {finding.what for finding in report.findings} == {"anchor"}
    auditor = open_auditor(deployment.settings)
    assert list(auditor.jobs()) == ["job-1"]
    auditor.close()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("checkpoint", lambda text: text.replace(b"\n2\n", b"\n1\n")),
        ("checkpoint", lambda text: text[:-10]),
        ("checkpoint", lambda text: text.replace(b"synapse", b"another")),
        ("tile/entries/000.p/2", lambda text: text.replace(b'"entries":7', b'"entries":6')),
        ("tile/entries/000.p/2", lambda text: text[:-1]),
        ("tile/entries/000.p/2", lambda _: None),
    ],
)
def test_a_changed_log_is_found(deployment: Deployment, run: Chain, name: str, change: Any) -> None:
    file = folder(deployment.settings).path / name
    content, changed = file.read_bytes(), change(file.read_bytes())
    assert content != changed
    if changed is None:
        file.unlink()
    else:
        file.write_bytes(changed)

    report = deployment.verify()

    assert report.verdict is Verdict.BROKEN
    assert {finding.what for finding in report.findings} == {"anchor"}


def test_a_log_of_another_key_is_not_believed(deployment: Deployment, run: Chain) -> None:
    report = deployment.verify(signing_key=private_key())

    assert report.verdict is Verdict.BROKEN
    assert [one.anchored for one in report.producers] == [-1]


def test_what_is_anchored_is_not_anchored_again(deployment: Deployment, run: Chain) -> None:
    before = logged(deployment.settings)
    anchor(deployment)

    assert logged(deployment.settings) == before


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("signing_key", SecretStr("no key")),
        ("signing_key", SecretStr("@/nowhere")),
        ("verify_keys", "abc"),
    ],
)
def test_a_wrong_key_is_said_to_be(deployment: Deployment, setting: str, value: object) -> None:
    changes: dict[str, Any] = {"signing_key": None, setting: value}

    with pytest.raises(ConfigError, match=setting.upper()):
        deployment.verify(**changes)


def test_a_removal_is_signed_before_it_is_done(deployment: Deployment, run: Chain) -> None:
    remove_signed(deployment)

    report = deployment.verify()

    assert (report.verdict, report.findings) == (Verdict.REMOVED, [])
    assert [line["type"] for line in logged(deployment.settings)] == ["anchor", "removal"]
    assert logged(deployment.settings)[-1]["entries"] == report.entries == len(run.batches)


def test_a_run_that_grew_since_its_removal_was_asked_for_stays_until_that_is_signed(
    deployment: Deployment, run: Chain
) -> None:
    assert remove(deployment) == 0
    deployment.record(run, [{}])
    deployment.project()
    sign_removals(deployment)

    assert remove(deployment) == 0
    assert deployment.verify().verdict is Verdict.OPEN
    sign_removals(deployment)
    assert remove(deployment) == 1
    assert deployment.verify().verdict is Verdict.REMOVED


def test_a_removal_that_nobody_signed_is_found(deployment: Deployment, run: Chain) -> None:
    remove(deployment, signed=False)

    report = deployment.verify()

    assert report.verdict is Verdict.BROKEN
    assert [finding.what for finding in report.findings] == ["anchor"]
    assert f"removal of the first {len(run.batches)} entries" in report.findings[0].expected


def test_a_removal_that_was_signed_of_less_does_not_vouch_for_more(
    deployment: Deployment, run: Chain
) -> None:
    remove_signed(deployment)
    deployment.record(run, [{}], [{}])
    deployment.project()
    remove(deployment, signed=False)

    assert deployment.verify().verdict is Verdict.BROKEN


def test_where_no_log_is_remembered_a_removal_waits_for_nobody(
    settings: Settings, deployment: Deployment
) -> None:
    deployment.settings = settings.model_copy(
        update={"anchors": None, "data_dir": settings.data_dir / "other"}
    )
    deployment.run()
    deployment.project()

    assert remove(deployment) == 1
