"""A Trainer of Transformers, unmodified, reports by Kubeflow's three variables and no code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_stream import JobStream
from tests.bridges.test_scripts import environment, play
from tests.support import doors

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_stream.settings import Settings
    from tests.support.servers import TestServer

__all__ = ["environment"]


def test_it_is_seen_by_its_job(
    environment: dict[str, str], server: TestServer, settings: Settings, tmp_path: Path
) -> None:
    secret = tmp_path / "token"
    secret.write_text(doors.token(jobs="job-7"))
    with doors.opened(server, tmp_path / "door", namespace=settings.namespace) as door:
        done = play(
            environment,
            "transformers_train",
            str(tmp_path / "out"),
            KUBEFLOW_TRAINER_SERVER_URL=f"{door.url}/ingest/trainer/jobs/job-7",
            KUBEFLOW_TRAINER_SERVER_TOKEN=str(secret),
        )
        found: list[Any] = [r.event for r in JobStream("job-7", door.settings).read()]

    assert done.returncode == 0, done.stderr
    kinds = [event.type for event in found]
    assert (kinds[0], kinds[-1], found[-1].status) == ("run_started", "end", "completed")
    bars = [event for event in found if event.type == "progress"]
    assert (bars[-1].step, bars[-1].current, bars[-1].total) == ("training", 100, 100)
    assert any("train_loss" in event.values for event in found if event.type == "metrics")
