"""What `wandb.init` returns, with a run of ours behind it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Self

from synapse_stream.entries.keys import is_job_id
from synapse_stream.integrations.current import Current
from synapse_stream.integrations.left_out import LeftOut
from synapse_stream.integrations.wandb.dicts import Items
from synapse_stream.integrations.wandb.rows import Rows
from synapse_stream.models import LogLevel, RunStatus
from synapse_stream.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LABELS = ("project", "entity", "name", "group", "job_type", "notes", "tags")
_LEVELS = {"WARN": LogLevel.WARNING, "ERROR": LogLevel.DANGER}
_LEFT_OUT = LeftOut("Run", "only numbers, texts, config, summary and alerts are reported")


class Run:
    """Reports rows, config, summary and alerts.

    Args:
        given: what `init` was called with.
        left: is called when it is finished.
        step: number of the first row.
    """

    def __init__(self, given: Mapping[str, Any], left: Callable[[], object], step: int = 0) -> None:
        labels = {name: given[name] for name in _LABELS if given.get(name)}
        named = given.get("id")
        job = named if isinstance(named, str) and is_job_id(named) else None
        self._current = Current(job_id=Settings.load().job_id or job, labels=labels)
        self.config = Items(lambda changed: self._current.tell("log", "config", changed))
        self.summary = Items(lambda changed: self._current.tell("log", "summary", changed))
        self.config.fill(given.get("config"))
        self._rows = Rows(step)
        self._left = left
        self._current.begin(given.get("job_type") or "wandb", self.config.as_dict())
        self.name = given.get("name") or self.id
        self.project = given.get("project")
        self.dir = given.get("dir") or "."
        self.url = None

    @property
    def id(self) -> str:
        """The job."""
        return str(self._current.run.job_id)

    @property
    def step(self) -> int:
        """Number of the row that is next."""
        return self._rows.step

    def log(self, data: Any, step: Any = None, commit: bool | None = None, **_: Any) -> None:  # noqa: FBT001
        """Report a row, or a part of one: numbers as metrics over its number.

        Texts become a `log` event; images and their like are left out.
        """
        try:
            for part in self._rows.take(data, step, commit):
                if part.numbers:
                    self._current.tell("set_metrics", part.numbers, x=part.x)
                    self.summary.fill(part.numbers)
                if part.rest:
                    self._log_rest(part.x, part.rest)
        except Exception as failure:  # noqa: BLE001 - no mapping, or foreign code
            self._current.logger.complain(failure)

    def _log_rest(self, x: Any, rest: dict[Any, Any]) -> None:
        kept = {
            name: value for name, value in rest.items() if isinstance(value, (str, list, tuple))
        }
        for name in rest.keys() - kept.keys():
            _LEFT_OUT.note(f"log({name!r}: {type(rest[name]).__name__})")
        if kept:
            self._current.tell("log", "row", {"x": x, **kept})

    def define_metric(self, name: str, step_metric: Any = None, *_: Any, **__: Any) -> None:
        """Say which metric is the x of others; how a summary is made is left out."""
        if step_metric is not None:
            self._rows.define(name, getattr(step_metric, "name", step_metric))

    def alert(self, title: str, text: str = "", level: Any = None, *_: Any, **__: Any) -> None:
        """Show a message to users, with a warning or an error as its level."""
        name = str(getattr(level, "value", level)).upper()
        said = f"{title}: {text}" if text else title
        self._current.tell("log_message", said, _LEVELS.get(name, LogLevel.INFO))

    def save(self, glob_str: Any = None, *_: Any, **__: Any) -> None:
        """Record where a file is; it is not copied."""
        self._current.tell("log", "file", {}, glob_str)

    def finish(self, exit_code: int | None = None, **_: Any) -> None:
        """End the run, unless it was open before: failed by an exit code or an exception."""
        failed = exit_code or (exit_code is None and sys.exc_info()[0] is not None)
        self._left()
        status = RunStatus.FAILED if failed else RunStatus.COMPLETED
        error = sys.exc_info()[1] if failed else None
        self._current.end(status, error, self.summary.as_dict() or None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: Any, _where: Any) -> None:
        self._left()
        how = RunStatus.COMPLETED if kind is None else RunStatus.FAILED
        self._current.end(how, error, self.summary.as_dict() or None)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return _LEFT_OUT.note(name)
