"""Runs actions of the SDK on a real Ray with one CPU; `test_ray` reads what is in the streams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ray  # type: ignore[import-not-found]
from synapse_sdk.plugins.actions.train.action import BaseTrainAction, BaseTrainParams
from synapse_sdk.plugins.actions.train.steps import TuneTrialsStep
from synapse_sdk.plugins.executors.local import LocalExecutor
from synapse_sdk.plugins.executors.ray.job import RayJobExecutor
from synapse_sdk.plugins.executors.ray.task import RayActorExecutor

ROOT = Path(__file__).parents[2]
TRAIN = "tests.sdk.plugin.TrainAction"
TUNE = {
    "dataset": 1,
    "num_cpus": 1,
    "num_gpus": 0,
    "hyperparameters": [{"name": "lr", "type": "grid_search", "options": [0.1, 0.2, -1.0]}],
    "tune_config": {"metric": "loss", "mode": "min", "max_concurrent_trials": 1},
}


class Params(BaseTrainParams):
    lr: float = 0.1


class TuneAction(BaseTrainAction[Params]):
    """Tries three rates, of which one fails; and has a worker report to its run."""

    def run(self) -> Any:
        ray.get(ray.remote(num_cpus=1)(_report).remote(self.ctx))
        context = self.create_context()
        context.data_path = ROOT
        return TuneTrialsStep(self).execute(context).data

    def get_checkpoint(self) -> None:
        return None

    def execute(self, data_path: Any, checkpoint: Any) -> dict[str, Any]:
        if self.params.lr < 0:
            raise ValueError("a rate below 0")
        for epoch in range(3):
            loss = self.params.lr / (epoch + 1)
            self.report_metrics({"loss": loss}, epoch=epoch, category="validation")
        return {}


def _report(ctx: Any) -> None:
    ctx.log_message("from a worker")
    ctx.logger.finish()  # ends only its own part


def main() -> None:
    """Play each executor once."""
    ray.init(num_cpus=1, include_dashboard=False, object_store_memory=80_000_000)
    actor = RayActorExecutor(job_id="actor-1")
    actor.execute(TRAIN, {})
    try:
        actor.execute(TRAIN, {"end": "raise"})
    except Exception as error:  # noqa: BLE001 - of the SDK
        print(error)
    actor.shutdown()
    job = RayJobExecutor()
    job.get_result(job.submit(TRAIN, {}, job_id="job-1"))
    LocalExecutor(job_id="tune-1").execute(TuneAction, TUNE)
    ray.shutdown()


if __name__ == "__main__":
    main()
