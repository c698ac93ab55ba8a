from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from synapse_stream.reporting.ranks import launched_rank, whole


@pytest.mark.parametrize("value", [3, True + 2, np.int64(3), np.uint8(3)])
def test_what_python_takes_as_an_index_is_a_whole_number(value: Any) -> None:
    number = whole("rank", value, 0)

    assert (number, type(number)) == (3, int)


@pytest.mark.parametrize("value", [0.0, 2.0, "1", None, b"1", [1], np.float64(1), -1])
def test_all_else_is_refused_by_name(value: Any) -> None:
    with pytest.raises(ValueError, match=r"rank=.* is not allowed; expected a whole"):
        whole("rank", value, 0)


@pytest.mark.parametrize(
    ("environ", "rank"),
    [
        ({}, None),
        ({"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}, 3),
        ({"RANK": "0", "WORLD_SIZE": "8"}, 0),
        ({"RANK": "0", "WORLD_SIZE": "1"}, None),
        ({"RANK": "3"}, None),
        ({"RANK": "three", "WORLD_SIZE": "8"}, None),
        ({"RANK": "-1", "WORLD_SIZE": "8"}, None),
        ({"WORLD_SIZE": "8"}, None),
        ({"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "4"}, 2),
        ({"PMI_RANK": "2", "PMI_SIZE": "4"}, 2),
        ({"SLURM_PROCID": "5", "SLURM_NTASKS": "8"}, 5),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "1"}, None),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "1", "SLURM_STEP_ID": "0"}, 0),
        ({"SLURM_PROCID": "1", "SLURM_STEP_ID": "0"}, 1),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "2", "RANK": "7", "WORLD_SIZE": "16"}, 7),
    ],
)
def test_the_launcher_tells_the_rank(environ: dict[str, str], rank: int | None) -> None:
    assert launched_rank(environ) == rank


def ray(**contexts: Any) -> dict[str, ModuleType]:
    modules = {}
    for name, context in contexts.items():
        module = ModuleType(f"ray.{name}")
        module.get_context = context  # type: ignore[attr-defined]
        modules[module.__name__] = module
    return modules


def worker(rank: int, size: int) -> Any:
    return lambda: SimpleNamespace(get_world_rank=lambda: rank, get_world_size=lambda: size)


def trial(name: str | None) -> Any:
    return lambda: SimpleNamespace(get_trial_id=lambda: name)


def outside() -> Any:
    msg = "get_context() is only for workers"
    raise RuntimeError(msg)


@pytest.mark.parametrize(
    ("modules", "rank"),
    [
        (ray(train=worker(2, 4)), 2),
        (ray(train=worker(0, 1)), None),
        (ray(train=outside), None),
        (ray(tune=trial("7c41b_00003")), 3),
        (ray(tune=trial(None)), None),
        (ray(tune=trial("default")), None),
        (ray(train=outside, tune=trial("7c41b_00000")), 0),
        (ray(), None),
    ],
)
def test_ray_is_asked_where_it_is_in_use(
    modules: dict[str, ModuleType], rank: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)

    assert launched_rank({}) == rank
