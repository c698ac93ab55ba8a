"""Which of the processes of a run this is, as its launcher tells."""

from __future__ import annotations

import operator
import os
import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Launcher(NamedTuple):
    """How a launcher tells: only where the others are set, too, is the rank meant."""

    rank: str
    size: str
    step: str | None = None


# The most particular first: torchrun inside a job of Slurm numbers what Slurm counts as one.
_LAUNCHERS = (
    _Launcher("RANK", "WORLD_SIZE"),
    _Launcher("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    _Launcher("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),
    _Launcher("PMI_RANK", "PMI_SIZE"),
    _Launcher("SLURM_PROCID", "SLURM_NTASKS", step="SLURM_STEP_ID"),
)
_TRIAL = re.compile(r"_(\d+)$")  # Tune's id of a trial: 7c41b_00003


def whole(name: str, value: Any, least: int, others: str = "or None") -> int:
    """Return an argument as an integer.

    Raises:
        ValueError: it is none, or below `least`.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        msg = f"{name}={value!r} is not allowed; expected a whole number from {least}, {others}"
        raise ValueError(msg)
    return number


def launcher_variables() -> list[str]:
    """Return the environment variables by which launchers tell the rank, in the order of look."""
    return [name for launcher in _LAUNCHERS for name in launcher if name is not None]


def launched_rank(environ: Mapping[str, str] = os.environ) -> int | None:
    """Return the rank that torchrun, MPI, Slurm or Ray gave this process; None: none did.

    One that is alone is not numbered.
    """
    for launcher in _LAUNCHERS:
        rank = _number(environ.get(launcher.rank))
        size = _number(environ.get(launcher.size))
        is_step = launcher.step is not None and _number(environ.get(launcher.step)) is not None
        if rank is not None and (is_step or (size or 0) > 1):
            return rank
    return _rank_in_ray()


def _rank_in_ray() -> int | None:
    """Ask Ray's libraries, if this process uses them."""
    train = sys.modules.get("ray.train")
    if train is not None:
        with suppress(Exception):  # raises outside of a worker, in ways that change
            context = train.get_context()
            rank = context.get_world_rank()
            if rank is not None and context.get_world_size() > 1:
                return operator.index(rank)
    for name in ("ray.tune", "ray.train"):
        module = sys.modules.get(name)
        if module is not None:
            with suppress(Exception):
                found = _TRIAL.search(str(module.get_context().get_trial_id()))
                if found is not None:
                    return int(found[1])
    return None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() else None
