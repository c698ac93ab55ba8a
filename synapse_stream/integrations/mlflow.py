"""MLflow's calls go into a run: `import synapse_stream.integrations.mlflow as mlflow`, or beside.

`install()` has MLflow's own clients report as well, those of autologging, too.
"""

from __future__ import annotations

from contextlib import suppress
from functools import wraps
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar

from synapse_stream.integrations.current import Current
from synapse_stream.integrations.left_out import LeftOut
from synapse_stream.models import RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from synapse_stream.reporting.context import RuntimeContext

_MARK = "_synapse_stream"
_LEFT_OUT = LeftOut("mlflow", "only metrics, params, tags and paths of artifacts are reported")
_STATUS = {"FINISHED": RunStatus.COMPLETED, "KILLED": RunStatus.CANCELLED}


class _State:
    """The run that is active, and which of MLflow's own report to it."""

    current = Current()
    run_ids: ClassVar[dict[str, str | None]] = {}

    @classmethod
    def step_of(cls, run_id: str) -> str | None:
        """Return the step of one of MLflow's runs: the first has none, others their id."""
        return cls.run_ids.setdefault(run_id, run_id if cls.run_ids else None)


def start_run(*_: Any, run_name: str | None = None, **named: Any) -> RuntimeContext:
    """Open a run, as a context manager; if one is open, it is that one."""
    tags = named.get("tags") or {}
    labels = {**({} if run_name is None else {"run_name": run_name}), **tags}
    _State.current = Current(labels=labels)
    run = _State.current.run
    if labels and _State.current.opened is None:
        set_tags(labels)
    return run


def end_run(status: str = "FINISHED") -> None:
    """End the run, if `start_run` has opened it."""
    _State.current.end(_STATUS.get(str(status), RunStatus.FAILED))
    _State.current = Current()


def active_run() -> RuntimeContext | None:
    """Return the run that `start_run` has opened, if it has."""
    return _State.current.opened


def log_metric(key: str, value: float, step: int | None = None, *_: Any, **__: Any) -> None:
    """Report a number; the step is x."""
    _State.current.values({key: value}, step)


def log_metrics(metrics: Mapping[str, float], step: int | None = None, *_: Any, **__: Any) -> None:
    """Report several numbers."""
    _State.current.values(metrics, step)


def log_param(key: str, value: Any, *_: Any, **__: Any) -> Any:
    """Record a parameter, as a `log` event `params`."""
    _State.current.tell("log", "params", {key: value})
    return value


def log_params(params: Mapping[str, Any], *_: Any, **__: Any) -> None:
    """Record several parameters."""
    _State.current.tell("log", "params", params)


def set_tag(key: str, value: Any, *_: Any, **__: Any) -> None:
    """Record a tag, as a `log` event `tags`."""
    _State.current.tell("log", "tags", {key: value})


def set_tags(tags: Mapping[str, Any], *_: Any, **__: Any) -> None:
    """Record several tags."""
    _State.current.tell("log", "tags", tags)


def log_artifact(local_path: Any, *_: Any, **__: Any) -> None:
    """Record where a file is; it is not copied."""
    _State.current.tell("log", "artifact", {}, local_path)


def set_experiment(experiment_name: str | None = None, *_: Any, **__: Any) -> None:
    """Record an experiment's name, as a tag."""
    set_tag("experiment", experiment_name)


def set_tracking_uri(uri: Any) -> None:
    """Do nothing: where a run is reported to, the settings say."""
    del uri


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return _LEFT_OUT.note(name)


def install() -> None:
    """Have MLflow's clients report as well; to them nothing changes."""
    from mlflow.tracking.client import MlflowClient  # noqa: PLC0415 - not for the calls above

    if hasattr(MlflowClient.log_batch, _MARK):
        return
    beside: dict[str, Callable[..., None]] = {
        "log_metric": _metric,
        "log_param": _param,
        "set_tag": _tag,
        "log_batch": _batch,
    }
    for name, ours in beside.items():
        setattr(MlflowClient, name, _beside(getattr(MlflowClient, name), ours))


def _beside(theirs: Callable[..., Any], ours: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that reports first, for theirs may wait for a server."""

    @wraps(theirs)
    def method(client: Any, *args: Any, **named: Any) -> Any:
        with suppress(TypeError):  # a wrong call, as theirs will say
            ours(*args, **named)
        return theirs(client, *args, **named)

    setattr(method, _MARK, True)
    return method


def _metric(
    run_id: str, key: str, value: Any, timestamp: Any = None, step: Any = None, *_: Any, **__: Any
) -> None:
    del timestamp
    _State.current.values({key: value}, step or 0, _State.step_of(run_id))


def _param(run_id: str, key: str, value: Any, *_: Any, **__: Any) -> None:
    _State.current.tell("log", "params", {key: value}, step=_State.step_of(run_id))


def _tag(run_id: str, key: str, value: Any, *_: Any, **__: Any) -> None:
    if not key.startswith("mlflow."):  # of its own
        _State.current.tell("log", "tags", {key: value}, step=_State.step_of(run_id))


def _batch(
    run_id: str,
    metrics: Iterable[Any] = (),
    params: Iterable[Any] = (),
    tags: Iterable[Any] = (),
    *_: Any,
    **__: Any,
) -> None:
    step = _State.step_of(run_id)
    for at, some in groupby(metrics, key=lambda metric: metric.step):
        row: dict[str, Any] = {}
        for metric in some:
            if metric.key in row:  # once more at the same step
                _State.current.values(row, at, step)
                row = {}
            row[metric.key] = metric.value
        _State.current.values(row, at, step)
    if given := {param.key: param.value for param in params}:
        _State.current.tell("log", "params", given, step=step)
    for tag in tags:
        _tag(run_id, tag.key, tag.value)
