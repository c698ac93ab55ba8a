"""`synapse-stream run`: run an action, with its progress live in the terminal."""

from __future__ import annotations

import sys
import traceback
from contextlib import suppress
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from inspect import isabstract, isclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from synapse_stream.cli.shared.output import WrongUse
from synapse_stream.errors import ConfigError

if TYPE_CHECKING:
    from types import TracebackType

    from pydantic import BaseModel

    from synapse_stream.reporting.action import BaseAction
    from synapse_stream.reporting.context import RuntimeContext


def run(
    target: Annotated[
        str, typer.Argument(metavar="MODULE:ACTION", help="Such as my_plugin.train:TrainAction.")
    ],
    *,
    params: Annotated[
        str | None, typer.Option(metavar="JSON|@FILE", help="The action's parameters.")
    ] = None,
    job_id: Annotated[
        str | None,
        typer.Option(help="The job to report to; else SYNAPSE_STREAM_JOB_ID or a new one."),
    ] = None,
) -> None:
    """Run an action and show its progress live.

    Exit code 0 when it completed, 1 when it failed, 130 when it was cancelled by Ctrl-C.
    """
    from synapse_stream.reporting.action import run_action

    action = _load_action(target)
    checked = _check_params(action, _read_params(params))
    ctx = _open(action, checked, job_id)
    try:
        run_action(action, checked, ctx)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except Exception as error:  # noqa: BLE001 - whatever the plugin raises is its author's to read
        traceback.print_exception(type(error), error, _own_frames(error.__traceback__))
        raise typer.Exit(1) from None


def _open(action: type[BaseAction[Any]], params: Any, job_id: str | None) -> RuntimeContext:
    from synapse_stream.reporting.run import open_run

    try:
        return open_run(job_id, action=action, params=params, console=True)
    except ConfigError:
        raise
    except ValueError as error:
        raise WrongUse(str(error)) from None


def _load_action(target: str) -> type[BaseAction[Any]]:
    """Import the action that `target` names; the working directory is searched first."""
    from synapse_stream.integrations.synapse_sdk.actions import as_action, is_sdk_action
    from synapse_stream.reporting.action import BaseAction

    module_name, _, name = target.partition(":")
    with suppress(OSError):  # the directory was removed: nothing can be found in it
        sys.path.insert(0, str(Path.cwd()))
    if not _exists(module_name):
        msg = f"there is no module {module_name!r} in this directory or installed"
        if "/" in module_name or module_name.endswith(".py"):
            dotted = module_name.removeprefix("./").removesuffix(".py").replace("/", ".")
            msg += f"; a module is named as `import` does: {dotted}:{name or 'ACTION'}"
        raise WrongUse(msg)
    module = import_module(module_name)
    actions: dict[str, type[Any]] = {
        found_name: found
        for found_name, found in vars(module).items()
        if isclass(found)
        and (issubclass(found, BaseAction) or is_sdk_action(found))
        and not isabstract(found)
    }
    if name in actions:
        return as_action(actions[name]) if is_sdk_action(actions[name]) else actions[name]
    has = ", ".join(f"{module_name}:{found}" for found in actions)
    msg = f"{module_name!r} has no action {name!r}; it has {has or 'none'}"
    raise WrongUse(msg)


def _exists(module_name: str) -> bool:
    try:
        return find_spec(module_name) is not None
    except (ImportError, ValueError):
        return False


def _read_params(given: str | None) -> Any:
    if given is None:
        return None
    try:
        return orjson.loads(Path(given[1:]).read_bytes() if given.startswith("@") else given)
    except OSError as error:
        msg = f"--params {given}: {error.strerror}"
    except orjson.JSONDecodeError as error:
        msg = f"--params {given} is no JSON: {error}"
    raise WrongUse(msg)


def _check_params(action: type[BaseAction[Any]], given: Any) -> Any:
    from pydantic import ValidationError

    try:
        checked = action.parse_params(given)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'all'}={problem['input']!r}: {problem['msg']}"
            for problem in error.errors()
        )
    else:
        _check_names(action, given, checked)
        return checked
    msg = f"--params do not fit {action.__name__}: {problems}"
    raise WrongUse(msg)


def _check_names(action: type[BaseAction[Any]], given: Any, checked: Any) -> None:
    """Refuse names that the action's model would drop without a word."""
    from pydantic import BaseModel

    if not isinstance(checked, BaseModel) or not isinstance(given, dict):
        return
    model = type(checked)
    if model.model_config.get("extra") == "allow":
        return
    known = _names(model)
    for name in given:
        if known is not None and name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(sorted(known))}"
            msg = f"--params: {action.__name__} has no parameter {name!r}; {hint}"
            raise WrongUse(msg)


def _names(model: type[BaseModel]) -> set[str] | None:
    """Return the names by which a model's fields are given; None where one is found by a path."""
    known: set[str] = set()
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        if not isinstance(alias, str | None):
            return None
        known |= {name} if alias is None or model.model_config.get("populate_by_name") else set()
        known |= set() if alias is None else {alias}
    return known


def _own_frames(frames: TracebackType | None) -> TracebackType | None:
    """Skip our own frames: the plugin's author reads on from the first of the plugin."""
    own = Path(__file__).parents[1]
    while frames and Path(frames.tb_frame.f_code.co_filename).is_relative_to(own):
        frames = frames.tb_next
    return frames
