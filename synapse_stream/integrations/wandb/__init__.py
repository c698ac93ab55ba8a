"""W&B's calls go into a run: `import synapse_stream.integrations.wandb as wandb`, or beside it.

    run = wandb.init(project="digits", config={"lr": 0.1})
    run.define_metric("val/*", step_metric="epoch")
    run.log({"loss": 0.5, "epoch": 1})
    run.finish()

`tee.install()` has W&B's own runs report as well. What is left out says so, once.
"""

from __future__ import annotations

from typing import Any

from synapse_stream.integrations.left_out import LeftOut
from synapse_stream.integrations.wandb.runs import Run

__all__ = ["alert", "define_metric", "finish", "init", "log", "login", "save"]

_LEFT_OUT = LeftOut("wandb", "only numbers, texts, config, summary and alerts are reported")
_active: list[Run] = []


def init(**given: Any) -> Run:
    """Open a run; while one is active, it is that one.

    Project, name, group, job_type, notes and tags become labels, the config its parameters. The job
    is that of `SYNAPSE_STREAM_JOB_ID`, else `id`, else a new one. A run that is open already is
    reported to, and left open.
    """
    if not _active:
        _active.append(Run(given, _active.clear))
    elif given.get("config"):
        _active[0].config.update(given["config"])
    return _active[0]


def log(data: Any, step: int | None = None, commit: bool | None = None) -> None:  # noqa: FBT001
    """Report a row."""
    init().log(data, step, commit)


def define_metric(name: str, step_metric: Any = None, **named: Any) -> Any:
    """Say which metric is the x of others."""
    return init().define_metric(name, step_metric, **named)


def alert(title: str, text: str = "", level: Any = None, **_: Any) -> None:
    """Show a message to users."""
    init().alert(title, text, level)


def finish(exit_code: int | None = None, **_: Any) -> None:
    """End the run, if there is one."""
    if _active:
        _active[0].finish(exit_code)


def save(glob_str: Any = None, **_: Any) -> None:
    """Record where a file is; it is not copied."""
    init().save(glob_str)


def login(**_: Any) -> bool:
    """Return True: nobody need be known to report."""
    return True


def __getattr__(name: str) -> Any:
    if name == "run":
        return _active[0] if _active else None
    if name in {"config", "summary"}:
        return getattr(init(), name)
    if name.startswith("__"):
        raise AttributeError(name)
    return _LEFT_OUT.note(name)
