"""W&B's own runs report as well, and get what they always got."""

from __future__ import annotations

from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from synapse_stream.integrations.wandb.runs import Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.integrations.wandb.dicts import Items

_METHODS = ("log", "define_metric", "alert")
_GIVEN = ("project", "entity", "name", "group", "job_type", "notes", "tags", "id")
_twins: WeakKeyDictionary[Any, Run] = WeakKeyDictionary()


def install() -> None:
    """Have every run of the real `wandb` report from now on."""
    from wandb.sdk.wandb_run import Run as Theirs  # noqa: PLC0415 - not for the shim

    if hasattr(Theirs.log, "_synapse_stream"):
        return
    for name in _METHODS:
        setattr(Theirs, name, _beside(getattr(Theirs, name), getattr(Run, name)))
    Theirs.finish = _beside(Theirs.finish, _finish)


def _beside(theirs: Callable[..., Any], ours: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that reports first, for theirs may wait."""

    @wraps(theirs)
    def method(run: Any, *args: Any, **named: Any) -> Any:
        with suppress(TypeError):  # a wrong call, as theirs will say
            ours(_twins.get(run) or _twin(run), *args, **named)
        return theirs(run, *args, **named)

    method._synapse_stream = True  # type: ignore[attr-defined]  # noqa: SLF001 - done once
    return method


def _twin(run: Any) -> Run:
    """Return what reports for one of W&B's runs."""
    given = {name: getattr(run, name, None) for name in _GIVEN}
    twin = _twins[run] = Run({**given, "config": dict(run.config)}, lambda: None, run.step)
    return twin


def _finish(twin: Run, *args: Any, **named: Any) -> None:
    """Report what was set behind our back, and end the run."""
    for run in [each for each, other in list(_twins.items()) if other is twin]:
        _catch_up(twin.config, run.config)
        _catch_up(twin.summary, run.summary)
        del _twins[run]
    twin.finish(*args, **named)


def _catch_up(ours: Items, theirs: Any) -> None:
    found = {name: value for name, value in dict(theirs).items() if not name.startswith("_")}
    changed = {name: value for name, value in found.items() if ours.get(name) != value}
    if changed:
        ours.update(changed)
