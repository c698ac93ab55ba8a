"""What the Synapse SDK's job log knows, as events: by the name of an entry and its data. Pure."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from synapse_stream.events.codes import templates_of
from synapse_stream.events.plain import as_text
from synapse_stream.models import LogLevel

if TYPE_CHECKING:
    from collections.abc import Mapping

Source = tuple["Mapping[str, str] | None", "Mapping[str, Any] | None"]
"""What a message was made of: its templates, one a language, and its params."""

_LEVELS = frozenset(map(str, LogLevel))
_AXES = frozenset({"epoch", "step", "global_step", "iteration", "batch"})
_OF_A_MESSAGE = frozenset({"content", "key"})
_OF_A_METRIC = frozenset({"category", "key", "value"})


class Said(dict[str, Any]):
    """Data of a message that knows what it was made of, which the SDK's own does not say."""

    __slots__ = ("source",)

    source: Source | None


def event_of(
    event: Any,
    level: Any,
    data: Mapping[str, Any],
    file: Any = None,
    step: Any = None,
    source: Source | None = None,
) -> tuple[str, str | None, dict[str, Any]]:
    """Return the type of event that an entry is here, its step and its fields.

    The SDK knows some entries by name: `message` is for users, `debug` and `dev_event` for
    developers, a `metric` has its category as step. All others are a `log` event.
    """
    at = None if step is None or step == "" else _text(step)
    if event == "message" and "content" in data:
        return "message", at, _message(level_of(level), data, source)
    if event == "debug" and data.keys() == {"content"}:
        return "dev_event", at, {"message": _text(data["content"])}
    if event == "dev_event" and data.keys() == {"message", "data"}:
        return "dev_event", at, _dev_event(data)
    if event == "metric" and data.keys() >= _OF_A_METRIC:
        fields = metric_of(data["key"], data["value"], data.get("metrics") or {})
        return "metrics", _text(data["category"]), fields
    fields = {"event": _text(event), "data": data, "level": level_of(level)}
    return "log", at, fields if not file else {**fields, "file": _text(file)}


def level_of(level: Any) -> str:
    """Return a level, the SDK's or a text, as it is recorded; info for what is none."""
    value = str.__str__(level) if isinstance(level, str) else getattr(level, "value", None)
    return value if value in _LEVELS else str(LogLevel.INFO)


def templates_in(message: Any) -> Mapping[str, str] | None:
    """Return the templates of a message by language, if it is more than a text."""
    if type(message) is str:  # nearly every message
        return None
    if isinstance(message, Enum):
        return templates_of(message)
    # text by language, or an object that holds that
    templates = message if isinstance(message, dict) else getattr(message, "translations", {})
    for key, text in templates.items():
        if type(key) is not str or type(text) is not str:
            return {k: v for k, v in templates.items() if type(k) is type(v) is str}
    return templates


def metric_of(key: str, value: Any, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metrics of the SDK's `log_metric`; an epoch, among others, is their place, too."""
    fields: dict[str, Any] = {"value": {key: value, **more}}
    return {**fields, "x": value} if key in _AXES and more else fields


def trials_of(data: dict[str, Any] | None, parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table of Tune's trials, as it was given or put together from its parts."""
    if data is not None:
        return data
    table = {"base": [], "trials": {}, "hyperparameters": [], "metrics": [], "best_trial": ""}
    return {**table, **{name: part for name, part in parts.items() if part is not None}}


def _message(level: str, data: Mapping[str, Any], source: Source | None) -> dict[str, Any]:
    fields: dict[str, Any] = {"content": _text(data["content"]), "level": level}
    if type(data) is Said:
        source = data.source
    if source is not None:
        if source[0]:
            fields["template"] = source[0]
        if source[1]:
            fields["params"] = source[1]
    if len(data) == 1:
        return fields
    if data.get("key") is not None:
        fields["key"] = _text(data["key"])
    more = {name: value for name, value in data.items() if name not in _OF_A_MESSAGE}
    return {**fields, "params": {**more, **fields.get("params", {})}} if more else fields


def _dev_event(data: Mapping[str, Any]) -> dict[str, Any]:
    fields = {"message": _text(data["message"])}
    return fields if data["data"] is None else {**fields, "data": data["data"]}


def _text(value: Any) -> str:
    return value if type(value) is str else as_text(value)
