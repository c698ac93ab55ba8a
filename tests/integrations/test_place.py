from __future__ import annotations

from types import SimpleNamespace

import pytest

from synapse_stream.integrations.synapse_sdk.place import Place, action_name, this_place

ALL = {"SYNAPSE_STREAM_JOB_ID": "stream", "SYNAPSE_JOB_ID": "synapse", "RAY_JOB_ID": "01000000"}


@pytest.mark.parametrize(
    ("lacking", "job_id", "backend_id", "found"),
    [
        ([], "mine", "backend", "mine"),
        ([], None, "backend", "stream"),
        (["SYNAPSE_STREAM_JOB_ID"], None, "backend", "backend"),
        (["SYNAPSE_STREAM_JOB_ID"], None, None, "synapse"),
        (["SYNAPSE_STREAM_JOB_ID", "SYNAPSE_JOB_ID"], None, None, "01000000"),
        (["SYNAPSE_STREAM_JOB_ID", "SYNAPSE_JOB_ID"], None, "backend", "backend"),
        (list(ALL), None, None, None),
    ],
)
def test_the_job_is_the_first_that_is_named(
    lacking: list[str], job_id: str | None, backend_id: str | None, found: str | None
) -> None:
    environ = {name: value for name, value in ALL.items() if name not in lacking}

    assert this_place(job_id, backend_id, environ) == Place(found)


@pytest.mark.parametrize(
    ("trial", "rank"), [("7c41b_00000", 1), ("7c41b_00012", 13), ("odd", None)]
)
def test_a_trial_is_a_rank_behind_the_process_that_started_it(trial: str, rank: int | None) -> None:
    environ = {"IS_TUNE": "true", "SYNAPSE_TRIAL_ID": trial}

    assert this_place("job-1", None, environ) == Place("job-1", rank, trial)
    assert this_place("job-1", None, {"SYNAPSE_TRIAL_ID": trial}) == Place("job-1")


def test_an_action_without_a_name_has_that_of_its_class() -> None:
    class Train(SimpleNamespace):
        action_name = None

    assert action_name(Train) == "Train"
    Train.action_name = "train"  # type: ignore[assignment]
    assert action_name(Train) == "train"
