"""The wire of Kubeflow's trainers: what Transformers' callback posts is recorded, and once."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from synapse_stream import JobStream
from tests.support import doors
from tests.support.doors import Door, token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.servers import TestServer

TIME = "2026-11-29T15:47:28.000250+00:00"
TIME_US = 1_795_967_248_000_250


@pytest.fixture(scope="module")
def door(own_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    home = tmp_path_factory.mktemp("trainer")
    with doors.opened(own_server, home, namespace="trainer") as opened:
        yield opened


@pytest.fixture(scope="module")
def trainer(door: Door) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {token()}"}
    where = f"{door.url}/ingest/trainer/jobs"
    with httpx.Client(base_url=where, headers=headers, timeout=30) as client:
        yield client


def status(
    percent: float | None = None, left: int | None = None, time: str = TIME, **metrics: Any
) -> dict[str, Any]:
    given: dict[str, Any] = {"lastUpdatedTime": time}
    given |= {} if percent is None else {"progressPercentage": percent}
    given |= {} if left is None else {"estimatedRemainingSeconds": left}
    shown = [{"name": name, "value": str(value)} for name, value in metrics.items()]
    return {"trainerStatus": {**given, "metrics": shown} if shown else given}


def post(client: httpx.Client, job: str, content: Any) -> int:
    answer = client.post(f"/{job}", json=content)
    assert answer.status_code != 500, answer.text
    return answer.status_code


def events(door: Door, job: str) -> list[Any]:
    return [recorded.event for recorded in JobStream(job, door.settings).read()]


def test_a_training_from_its_begin_to_its_end(door: Door, trainer: httpx.Client) -> None:
    posts = [
        status(0, total_steps=20),
        status(10, 9, loss=0.5, learning_rate=5e-05, current_step=2, total_steps=20),
        status(20, 8, loss=0.5, grad_norm="nan", current_step=4, total_steps=20),
        status(99, 1, loss="inf", grad_norm="nan", note="text", current_step=19, total_steps=20),
        status(100, 0, loss=0.25),
    ]
    assert [post(trainer, "whole", each) for each in posts] == [200] * 5

    found = events(door, "whole")
    assert [event.type for event in found] == [
        "run_started", "progress", "progress", "metrics", "progress", "metrics",
        "progress", "metrics", "log", "progress", "metrics", "end",
    ]  # fmt: skip
    assert {event.time for event in found} == {TIME_US}
    bars = [(e.step, e.current, e.total) for e in found if e.type == "progress"]
    assert bars == [
        ("training", 0, 100), ("training", 2, 20), ("training", 4, 20), ("training", 19, 20),
        ("training", 100, 100),
    ]  # fmt: skip
    metrics = [(e.x, e.values) for e in found if e.type == "metrics"]
    assert metrics[0] == (2, {"loss": 0.5, "learning_rate": 5e-05})
    assert (metrics[1][0], list(metrics[1][1])) == (4, ["grad_norm"])
    assert math.isnan(metrics[1][1]["grad_norm"])
    assert metrics[2:] == [(19, {"loss": math.inf}), (None, {"loss": 0.25})]
    assert [e.data for e in found if e.type == "log"] == [{"note": "text"}]
    assert (found[-1].status, found[-1].count) == ("completed", len(found))


def test_a_post_that_comes_again_changes_nothing(door: Door, trainer: httpx.Client) -> None:
    posts = [status(0), status(50, 3, loss=1), status(100, 0, loss=0.5)]
    for each in (posts[0], posts[1], posts[0], posts[2], posts[1], posts[2]):  # late ones, too
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _, content=each: post(trainer, "again", content), range(4)))

    kinds = [event.type for event in events(door, "again")]
    assert kinds == [
        "run_started", "progress", "progress", "metrics", "progress", "metrics", "end",
    ]  # fmt: skip


def test_one_that_begins_again_is_the_next_attempt(door: Door, trainer: httpx.Client) -> None:
    minutes = [f"2026-11-29T15:{minute}:00+00:00" for minute in range(10, 14)]
    for percent, left, time in zip((0, 100, 0, 100), (None, 0, None, 0), minutes, strict=True):
        assert post(trainer, "twice", status(percent, left, time)) == 200

    kinds = [event.type for event in events(door, "twice")]
    assert kinds == ["run_started", "progress", "progress", "end"] * 2
    assert {r.producer for r in JobStream("twice", door.settings).read()} == {
        "trainer.1", "trainer.2",
    }  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        [], {}, {"trainerStatus": []}, status(101), status(-1), status(True), status(5, -1),
        {"trainerStatus": {"metrics": [{"name": "loss", "value": 1}]}},
        {"trainerStatus": {"metrics": {"loss": "1"}}},
        {"trainerStatus": {"progressPercentage": "half"}},
    ],
)  # fmt: skip
def test_what_is_no_status_is_refused_with_a_reason(trainer: httpx.Client, wrong: Any) -> None:
    answer = trainer.post("/wrong", json=wrong)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert trainer.post("/wrong", content=b"{").status_code == 400


def test_a_token_of_another_job_is_refused(door: Door) -> None:
    headers = {"Authorization": f"Bearer {token(jobs='other')}"}
    url = f"{door.url}/ingest/trainer/jobs/not-mine"

    assert httpx.post(url, json=status(0), headers=headers).status_code == 403
    assert httpx.post(url, json=status(0)).status_code == 401
