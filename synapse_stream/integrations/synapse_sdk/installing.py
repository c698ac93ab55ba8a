"""Puts loggers that report to the stream in the place of those that the SDK's drivers build."""

from __future__ import annotations

import sys
from functools import wraps
from typing import TYPE_CHECKING, Any

from synapse_stream.integrations.on_import import on_import

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.integrations.synapse_sdk.reporter import Reporter


def install() -> None:
    """Have every `JobLogger` and `ConsoleLogger` that is built from now on report to the stream.

    The SDK need not be imported yet. Calling it again changes nothing.
    """
    on_import("synapse_sdk.loggers", _replace_loggers)
    on_import("synapse_sdk.plugins.context", _let_context_name_the_job)
    on_import("synapse_sdk.plugins.action", _let_actions_begin)
    on_import("synapse_stream.reporting.action", _let_actions_begin)  # the drivers run ours, too


def _replace_loggers(_home: Any) -> None:
    from synapse_stream.integrations.synapse_sdk import loggers  # noqa: PLC0415 - imports the SDK

    for replacement in (loggers.StreamConsoleLogger, loggers.StreamJobLogger):
        name, replaced = replacement.replaced.__name__, replacement.replaced
        for module in _modules_of_the_sdk():
            if vars(module).get(name) is replaced:  # also where it was imported by name
                setattr(module, name, replacement)


def _modules_of_the_sdk() -> list[Any]:
    return [module for name, module in list(sys.modules.items()) if name.startswith("synapse_sdk.")]


def _let_context_name_the_job(home: Any) -> None:
    """An executor's logger knows no job; its context may."""

    def name_job(ctx: Any, *_: Any, **__: Any) -> None:
        reporter = _reporter_of(ctx)
        if reporter is not None:
            reporter.name_job(ctx.job_id)

    _after_init(home.RuntimeContext, name_job)


def _let_actions_begin(home: Any) -> None:
    """A run is opened by the action that begins: it knows its name and parameters."""

    def begin(action: Any, params: Any, ctx: Any) -> None:
        reporter = _reporter_of(ctx)
        if reporter is not None:
            reporter.begin(type(action), params)
            if reporter.is_of_trial:
                action.execute = reporter.end_with(action.execute)

    _after_init(home.BaseAction, begin)


def _after_init(kind: type[Any], then: Callable[..., None]) -> None:
    """Have `then` called with the arguments of `__init__`, behind it."""
    init = kind.__init__
    if hasattr(init, "__wrapped__"):  # it was installed before
        return

    @wraps(init)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - in its place
        init(self, *args, **kwargs)
        then(self, *args, **kwargs)

    kind.__init__ = __init__


def _reporter_of(ctx: Any) -> Reporter | None:
    """Return the stream's side of a context's logger, also of one that is wrapped."""
    from synapse_stream.integrations.synapse_sdk.reporter import Reporter  # noqa: PLC0415 - brings pydantic

    found = getattr(getattr(ctx, "logger", None), "_reporter", None)
    return found if isinstance(found, Reporter) else None
