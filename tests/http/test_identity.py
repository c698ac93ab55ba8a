"""Who a producer is: recorded with a proof by its token, and stated by `verify`."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from pydantic import SecretStr

from synapse_stream import JobStream, open_run
from synapse_stream.entries.position import BEGINNING
from synapse_stream.log.event_log import open_log
from synapse_stream.ports.audit import Verdict, open_auditor
from synapse_stream.remote.identity import proved
from synapse_stream.remote.tokens import issue, sign
from tests.support import doors
from tests.support.chains import Chain
from tests.support.doors import SECRET, token
from tests.support.events import ended, started
from tests.support.projecting import project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from synapse_stream.ports.audit import Report
    from synapse_stream.settings import Settings
    from tests.support.doors import Door
    from tests.support.servers import TestServer


@pytest.fixture(scope="module")
def door(own_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    home = tmp_path_factory.mktemp("identity")
    with doors.opened(own_server, home, namespace="identity") as opened:
        yield opened


def verify(settings: Settings, job: str) -> Report:
    with closing(open_auditor(settings)) as auditor:
        return auditor.verify(job)


def first_event(door: Door, job: str) -> tuple[str, Any]:
    with closing(open_log(door.settings)) as log:
        batch = log.read_after(job, BEGINNING, limit=1)[0].batch
    assert batch is not None
    return batch.producer, orjson.loads(batch.lines()[0])


def test_verify_states_whose_token_reported(door: Door, tmp_path: Path) -> None:
    claims = issue("trainer-of-team-a", 3600, jobs="mine", append=True)
    given = sign(claims, SECRET)
    with open_run("mine", settings=door.plugin(tmp_path, given), env={}) as ctx:
        ctx.set_metrics({"loss": 1})
    project(door.settings)
    report = verify(door.settings, "mine")
    producer, event = first_event(door, "mine")

    assert report.verdict is Verdict.INTACT
    assert [one.identity for one in report.producers] == [f"trainer-of-team-a ({claims.id})"]
    assert not any("token" in note for note in report.notes)
    assert given.rpartition(".")[2] not in orjson.dumps(event).decode()
    (recorded, *_) = JobStream("mine", door.settings).read()
    assert recorded.event.identity.said == given.rpartition(".")[0]  # type: ignore[attr-defined]

    elsewhere = door.settings.model_copy(update={"token_secret": SecretStr(SECRET + "!")})
    other = verify(elsewhere, "mine")
    assert other.producers[0].identity is None
    unproved = "whose tokens these producers had is not proved by the secret that tokens are"
    assert f"{unproved} signed with now: {producer}" in other.notes


@pytest.mark.parametrize("forged", ["said", "proof", "producer", "job", "form"])
def test_what_is_forged_or_copied_proves_nothing(door: Door, tmp_path: Path, forged: str) -> None:
    job = f"copied-{forged}"
    settings = door.plugin(tmp_path, token(job))
    with open_run(job, settings=settings, env={}):
        pass
    producer, event = first_event(door, job)
    identity: Any = event["identity"]
    assert proved(identity, job, producer, SECRET) is not None
    changed: dict[str, Any] = {
        "said": {**identity, "said": token(job, name="boss").rpartition(".")[0]},
        "proof": {**identity, "proof": "0" * 64},
        "form": ["said", "proof"],
    }
    copied = changed.get(forged, identity)
    name, other = ("p2", job) if forged != "job" else (producer, f"{job}-other")
    assert (
        proved(copied, other, name if forged in {"producer", "job"} else producer, SECRET) is None
    )

    with closing(open_log(door.settings)) as log:
        chain = Chain("forged-" + forged, name)
        log.append(chain.add({**started(), "identity": copied}, ended(count=2)))
    project(door.settings)
    report = verify(door.settings, "forged-" + forged)
    assert report.producers[0].identity is None
    assert any("is not proved" in note for note in report.notes)


def test_who_has_no_token_says_nothing_of_itself(door: Door) -> None:
    with open_run("direct", settings=door.settings, env={}):
        pass
    project(door.settings)

    assert "identity" not in first_event(door, "direct")[1]
    report = verify(door.settings, "direct")
    assert report.producers[0].identity is None
    assert not any("token" in note for note in report.notes)
