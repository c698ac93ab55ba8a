"""What a client of the list gets."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from consumers.api.app import create_app
from synapse_stream.settings import Settings
from tests.live.conftest import Deployment, message, progress
from tests.support.projecting import Consumers
from tests.support.scenes.reader import Reader, pump
from tests.support.servers import wait_until
from tests.support.serving import served

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKENS = {name: f"{name}-0123456789-abcdef" for name in ("viewer", "developer", "team")}


@pytest.fixture(scope="module")
def consumers(one_deployment: Deployment) -> Iterator[Consumers]:
    with Consumers(one_deployment.settings) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(one_deployment: Deployment) -> Iterator[int]:
    """Serve the same deployment to those who have a token."""
    tokens = [{"name": name, "role": "viewer", "token": TOKENS[name]} for name in TOKENS]
    tokens[1]["role"] = "developer"
    tokens[2]["jobs"] = "team-*"
    given = one_deployment.settings.model_dump(exclude={"api_tokens"})
    with ExitStack() as exits:
        settings = Settings(**given, api_tokens=SecretStr(json.dumps(tokens)))
        yield exits.enter_context(served(create_app(settings)))


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[name]}"}


def of(reader: Reader, job: str) -> list[Any]:
    """Return how a job was shown."""
    return [one for one in reader.of("job") if one["job_id"] == job]


def test_a_job_is_shown_whenever_its_committed_state_changes(
    deployment: Deployment, job: str, consumers: Consumers
) -> None:
    reader = deployment.follow(None)
    wait_until(lambda: deployment.hub.jobs.clients)
    deployment.report(job, progress(1, 4))
    reader.until(lambda reader: any(one["job_id"] == job for one in reader.of("job")))
    deployment.report(job, progress(3, 4))
    reader.until(
        lambda reader: [o["percent"] for o in reader.of("job") if o["job_id"] == job][-1:] == [75]
    )

    shown = [one for one in reader.of("job") if one["job_id"] == job]
    assert [one["percent"] for one in shown] == [25, 75]
    assert shown[-1]["events"] == 3
    assert shown[-1]["status"] == "running"


def test_a_busy_job_is_shown_twice_a_second_at_most(
    deployment: Deployment, job: str, consumers: Consumers
) -> None:
    reader = deployment.follow(None)
    wait_until(lambda: deployment.hub.jobs.clients)
    begun = time.monotonic()
    deployment.report(job)
    reader.until(lambda reader: of(reader, job))
    for number in range(300):
        deployment.report(job, progress(number))
        pump([reader], 0.005)
    reader.until(lambda reader: of(reader, job)[-1]["events"] == 301)

    shown = [one["events"] for one in of(reader, job)]
    assert len(shown) <= 2 * (time.monotonic() - begun) + 1
    assert shown == sorted(set(shown))


def test_many_jobs_are_shown_each(deployment: Deployment, job: str, consumers: Consumers) -> None:
    reader = deployment.follow(None)
    wait_until(lambda: deployment.hub.jobs.clients)
    names = {f"{job} {number}" for number in range(120)}
    for name in names:
        deployment.report(name, message(0))

    reader.until(lambda reader: names <= {one["job_id"] for one in reader.of("job")})


def test_a_caller_sees_only_jobs_that_it_may_know(
    deployment: Deployment, job: str, consumers: Consumers, guarded: int
) -> None:
    reader = Reader(guarded, None, headers=bearer("team"))
    every = Reader(guarded, None, headers=bearer("viewer"))
    hidden, shown = f"other-{job}", f"team-{job}"
    with reader, every:
        for each in (reader, every):
            each.until(lambda reader: reader.has_begun)
        deployment.report(hidden, message(0))
        deployment.report(shown, message(0))
        every.until(lambda reader: {hidden, shown} <= {o["job_id"] for o in reader.of("job")})
        reader.until_kinds("job")
        pump([reader], 1.0)

        assert {one["job_id"] for one in reader.of("job")} == {shown}
    with Reader(guarded, hidden, headers=bearer("team")) as refused:
        assert refused.until(lambda reader: reader.status).status == 404


@pytest.mark.parametrize("after", [None, "0-0"])
def test_viewers_get_no_events_for_developers(
    deployment: Deployment, job: str, guarded: int, after: str | None
) -> None:
    dev = {"type": "dev_event", "message": "secret", "data": {"a": 1}}
    log = {"type": "log", "event": "secret", "data": {}, "level": "info"}
    deployment.report(job, message(0), dev)
    viewer = Reader(guarded, job, after=after, headers=bearer("viewer"))
    developer = Reader(guarded, job, after=after, headers=bearer("developer"))
    with viewer, developer:
        for each in (viewer, developer):
            each.until_kinds("snapshot" if after is None else "state")
        deployment.report(job, dev, message(1), log)
        deployment.report(job, log, dev)
        deployment.report(job, message(2))
        for each in (viewer, developer):
            each.until(lambda reader: b'"2 "' in b"".join(told.line for told in reader.events))

    def kinds(reader: Reader) -> list[str]:
        return [json.loads(told.line)["type"] for told in reader.events]

    before = [] if after is None else ["run_started", "message", "dev_event"]
    both = [*before, "dev_event", "message", "log", "log", "dev_event", "message"]
    assert kinds(developer) == both
    assert kinds(viewer) == [kind for kind in both if kind not in {"dev_event", "log"}]


def test_without_a_token_nothing_is_shown(guarded: int, job: str, deployment: Deployment) -> None:
    deployment.report(job)
    for path in (job, None):
        with Reader(guarded, path) as reader:
            assert reader.until(lambda reader: reader.status).status == 401
