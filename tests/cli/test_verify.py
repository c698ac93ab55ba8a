"""`synapse-stream verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from synapse_stream.log.feeds import FeedLog
from tests.support.tampering import Deployment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    monkeypatch.setenv("SYNAPSE_STREAM_VERIFY_KEYS", "03" * 32)
    monkeypatch.setenv("SYNAPSE_STREAM_ANCHORS", "postgresql://nobody@127.0.0.1:1/none")

    said = command("verify", "one")

    assert said.code == 3
    assert "127.0.0.1" in said.err
