"""`synapse-stream verify`."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from synapse_stream.log.feeds import FeedLog
from tests.support.anchoring import anchor, private_key
from tests.support.tampering import Deployment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from synapse_stream.settings import Settings
    from tests.support.commands import Said


@pytest.fixture
def deployment(settings: Settings) -> Iterator[Deployment]:
    log = FeedLog.open(settings)
    log.check()
    opened = Deployment(settings, log)
    yield opened
    opened.close()
    log.close()


def test_intact_runs_are_said_to_be_and_what_is_not_anchored_too(
    deployment: Deployment, command: Callable[..., Said]
) -> None:
    deployment.run("one")
    deployment.run("two")
    deployment.project()

    said = command("verify", "--all")

    assert said.code == 0
    assert said.lines[0] == (
        "one: intact, 26 events in 8 batches, 8 of them archived; 1 producer, 3 views"
    )
    assert "unanchored: producer-1 0 to 25" in said.out
    assert said.lines[-1] == "2 jobs verified, 0 of them broken"


def test_a_difference_is_shown_with_its_place_and_ends_with_1(
    deployment: Deployment, command: Callable[..., Said]
) -> None:
    chain = deployment.run("one")
    deployment.project()
    deployment.rewrite("one", [*chain.batches[:3], *chain.batches[4:]])

    said = command("verify", "one")
    (answer,) = command("verify", "one", "--json").objects

    assert said.code == 1
    assert said.lines[0].startswith("one: broken, ")
    assert "of producer-1 numbers 9 to 12" in said.out
    assert answer["verdict"] == "broken"
    assert answer["findings"][0]["numbers"] == [9, 12]


def test_an_unknown_job_is_an_answer_of_1_and_a_wrong_call_one_of_2(
    environment: dict[str, str], command: Callable[..., Said]
) -> None:
    said = command("verify", "nobody")

    assert (said.code, said.err) == (1, "synapse-stream: there is no job 'nobody'\n")
    assert command("verify").code == 2
    assert command("verify", "one", "--all").code == 2


def test_what_could_not_be_verified_is_an_answer_of_3(
    deployment: Deployment, command: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.run("one")
    deployment.project()
    monkeypatch.setenv("SYNAPSE_STREAM_SIGNING_KEY", private_key().get_secret_value())
    monkeypatch.setenv("SYNAPSE_STREAM_ANCHORS", "/nowhere")

    said = command("verify", "one")

    assert said.code == 3
    assert "there is no log of anchors in /nowhere/" in said.out


def test_anchors_begin_anew_when_they_are_told_to_and_it_is_said(
    deployment: Deployment,
    command: Callable[..., Said],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    key, folder = private_key(), tmp_path / "anchors"
    monkeypatch.setenv("SYNAPSE_STREAM_ANCHORS", str(folder))
    monkeypatch.setenv("SYNAPSE_STREAM_SIGNING_KEY", key.get_secret_value())
    changes = {"anchors": folder, "signing_key": key}
    deployment.settings = deployment.settings.model_copy(update=changes)
    deployment.run("one")
    deployment.project()
    begun = command("anchors", "init")
    anchor(deployment)
    assert begun.out.startswith(f"verifier key: synapse-stream/{deployment.settings.namespace}/")
    assert command("verify", "one").code == 0
    assert "nothing begins anew" in command("anchors", "init").out
    (folder / deployment.settings.namespace / "checkpoint").write_bytes(b"")
    broken = command("verify", "one")
    shutil.rmtree(folder)
    lost = command("verify", "one")

    said = command("anchors", "init")
    anchor(deployment)
    after = command("verify", "one")

    assert (broken.code, lost.code) == (1, 3)
    assert lost.lines[0].startswith("one: unverified, ")
    assert said.lines[0].startswith("2 entries of synapse-stream/")
    assert said.lines[0].endswith(" were remembered")
    assert after.code == 0
    assert "2 that were there before are gone" in after.out


def test_views_have_a_verdict_of_their_own(
    deployment: Deployment, command: Callable[..., Said]
) -> None:
    deployment.run("one")
    deployment.project()
    with deployment.databases.of("message-feed").write("test") as connection:
        connection.exec_driver_sql("UPDATE message SET content = 'x' WHERE number = 3")

    said = command("verify", "one")
    (answer,) = command("verify", "one", "--json").objects

    assert said.code == 1
    assert said.lines[1] == "  record intact, views broken"
    assert (answer["record"], answer["view"]) == ("intact", "broken")
