"""What the store holds is what a fresh fold gives, byte for byte."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from consumers import views
from consumers.folding.fold import fold_job
from tests.store.jobs import MESSAGES, METRICS, RUN_STATE, Committer, message, metrics, started
from tests.support import dumps

if TYPE_CHECKING:
    from typing import Any

    from consumers.store.store import Store
    from synapse_stream.entries.entry import RecordedBatch


def random_event(rng: random.Random) -> dict[str, Any]:
    step = rng.choice([{}, {"step": "fit"}, {"step": "eval"}])
    kind = rng.randrange(5)
    if kind == 0:
        return message("text", rng.choice(["info", "danger"]), key="k", params={"n": 1}) | step
    if kind == 1:
        return {"type": "dev_event", "message": "dev", "data": [1, None]} | step
    if kind == 2:
        total = rng.randrange(1, 9)
        return {"type": "progress", "current": rng.randrange(total), "total": total} | step
    value = rng.choice([rng.random(), "NaN", "Infinity", "-Infinity", -0.0])
    return metrics(x=rng.choice([None, rng.random()]), loss=value, lr=1) | step


@pytest.mark.parametrize("positions", [True, False])
@pytest.mark.parametrize("view", [RUN_STATE, METRICS, MESSAGES], ids=lambda view: view.name)
def test_a_view_is_that_of_a_fresh_fold_before_and_after_compaction(
    store: Store, view: Any, positions: bool
) -> None:
    rng = random.Random(7)
    committer = Committer(store, view)
    batches: list[RecordedBatch] = []
    committer.seen = batches.append
    committer.commit({"job": [started("train")]})
    for _ in range(60):
        committer.commit({"job": [random_event(rng) for _ in range(rng.randrange(1, 30))]})

    expected = dumps.of_fold(fold_job(view, "job", batches), positions=positions)

    assert len(expected) > 500
    assert dumps.of_view(store, views.find(view.name), "job", positions=positions) == expected
    while store.compact(committer.lease, rested_seconds=0.0):
        pass
    assert dumps.of_view(store, views.find(view.name), "job", positions=positions) == expected


@pytest.mark.parametrize("view", [METRICS, MESSAGES], ids=lambda view: view.name)
def test_the_view_of_an_unknown_job_is_that_of_one_without_events(store: Store, view: Any) -> None:
    assert dumps.of_view(store, views.find(view.name), "job") == dumps.of_fold(
        fold_job(view, "job", [])
    )
