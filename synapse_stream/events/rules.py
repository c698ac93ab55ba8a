"""What a report call accepts, and the fields of the event it becomes; the same for every logger.

Each function returns the fields. A wrong *call* (no mapping where one must be) raises TypeError. A
wrong *value* raises TypeError (not that kind of value) or ValueError (out of range), naming the
parameter, the value and what is allowed; or, where a list `wrong` is given to collect them, it
costs itself: it is added there and left out of the fields. Where nothing is left that means
anything, there are no fields.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import Enum
from math import isfinite
from typing import Any, NamedTuple

from synapse_stream.events.codes import spell_out
from synapse_stream.events.names import is_storable, storable
from synapse_stream.events.numeric import as_double, as_number
from synapse_stream.events.plain import as_text, describe
from synapse_stream.events.tags import SAFE_INTEGER
from synapse_stream.events.templates import render
from synapse_stream.models import LogLevel, RunStatus

_LEVELS = tuple(map(str, LogLevel))
_ENDINGS = tuple(str(status) for status in RunStatus if status.is_terminal)


class Wrong(NamedTuple):
    """A value that cannot be recorded as what it was given for."""

    parameter: str
    """Which one: `value['loss']`."""
    value: Any
    why: str


def metrics(value: Any, x: Any = None, wrong: list[Wrong] | None = None) -> dict[str, Any]:
    """Check `set_metrics`: a mapping of names to numbers, NaN and infinities among them.

    Raises:
        TypeError: `value` is no mapping, a name no text, or a number (also `x`) none.
    """
    if not isinstance(value, Mapping):
        msg = f"value must be a mapping of metric names to numbers, not {_shown(value)}"
        raise TypeError(msg)
    values = _copy(value, "value", wrong)
    for name, number in values.items():
        kind = type(number)
        if (
            (kind is not float and kind is not int)
            or type(name) is not str
            or not is_storable(name)
        ):
            values = _numbers(values, wrong)
            break
    if not values and wrong:
        return {}
    fields: dict[str, Any] = {"values": values}
    if x is not None and (place := _number(x, "x", wrong)) is not None:
        fields["x"] = place
    return fields


def progress(current: Any, total: Any, wrong: list[Wrong] | None = None) -> dict[str, Any]:
    """Check `set_progress`: finite numbers with total > 0 and 0 <= current <= total.

    Raises:
        TypeError: one of them is no number.
        ValueError: they are not in that range.
    """
    if type(current) is type(total) is int and 0 <= current <= total <= SAFE_INTEGER and total:
        return {"current": current, "total": total}
    done, whole = _number(current, "current", wrong), _number(total, "total", wrong)
    if done is None or whole is None:
        return {}
    done, whole = as_double(done), as_double(whole)
    if whole > 0 and 0 <= done <= whole and isfinite(whole):
        return {"current": done, "total": whole}
    why = (
        f"progress of current={describe(current)}, total={describe(total)} is not possible; "
        "both must be finite, with total > 0 and 0 <= current <= total"
    )
    _refuse("current, total", (current, total), ValueError(why), wrong)
    return {}


def progress_failed(error: Any = None) -> dict[str, Any]:
    """Return the fields of `set_progress_failed`; any `error` becomes text."""
    return {"failed": True} if error is None else {"failed": True, "error": as_text(error)}


def message(
    message: Any,
    context: Any,
    params: Mapping[str, Any],
    language: Any = None,
    wrong: list[Wrong] | None = None,
) -> dict[str, Any]:
    """Check `log_message` and render its content.

    Templates are filled as `str.format` does, if there are params. One that cannot be filled is
    shown as it is, because a typo in a message must not end a run. Of several languages `language`
    is rendered, else English, else the first; templates and params are kept for the others. Of a
    message code (a member of a str enum) `codes` knows level and templates; it is kept as `key`.

    Raises:
        TypeError: `message` is neither a text nor a mapping of language to template.
        ValueError: `context` is no LogLevel.
    """
    fields: dict[str, Any] = {"content": "", "level": _level(context, "context", wrong)}
    if type(message) is str:  # nearly every call
        template = message
    elif isinstance(message, str) and isinstance(message, Enum):
        template = spell_out(fields, message, language)
    elif isinstance(languages := getattr(message, "translations", message), Mapping):
        template = _template(fields, languages, language, wrong)
    else:
        template = _text(message, "message", "a text or a mapping of language to template", wrong)
    fields["content"] = render(template, params) if params else template
    if params:
        fields["params"] = dict(params)
    return fields


def dev_event(message: Any, data: Any = None) -> dict[str, Any]:
    """Return the fields of `log_dev_event`; everything is allowed."""
    text = message if type(message) is str else as_text(message)
    return {"message": text} if data is None else {"message": text, "data": data}


def log(
    event: Any,
    data: Any,
    file: Any = None,
    level: Any = LogLevel.INFO,
    wrong: list[Wrong] | None = None,
) -> dict[str, Any]:
    """Check `log`: an event name, a mapping, and maybe a path.

    Raises:
        TypeError: `event` is no text, `data` no mapping, `file` no path.
        ValueError: `level` is no LogLevel.
    """
    name = _text(event, "event", "a text", wrong)
    if not isinstance(data, Mapping):
        msg = f"data of event {name!r} must be a mapping, not {_shown(data)}"
        raise TypeError(msg)
    fields = {"event": name, "data": data, "level": _level(level, "level", wrong)}
    if file is None:
        return fields
    if isinstance(file, (str, bytes, os.PathLike)):
        try:
            return {**fields, "file": os.fsdecode(file)}
        except Exception:  # noqa: BLE001, S110 - `__fspath__` is the plugin's; what follows says it
            pass
    why = f"file of event {name!r} must be a path or None, not {_shown(file)}"
    _refuse("file", file, TypeError(why), wrong)
    return fields


def end(status: Any, error: Any = None, result: Any = None) -> dict[str, Any]:
    """Check `end_log`: a status that nothing can follow; any `error` becomes text.

    Raises:
        ValueError: `status` is not completed, failed or cancelled.
    """
    fields: dict[str, Any] = {"status": ending(status)}
    if error is not None:
        fields["error"] = as_text(error)
    if result is not None:
        fields["result"] = result
    return fields


def ending(status: Any, wrong: list[Wrong] | None = None) -> str | None:
    """Return the status as it is recorded.

    Raises:
        ValueError: it is not completed, failed or cancelled.
    """
    return _choice(_ENDINGS, status, "status", wrong)


def step_name(step: Any, wrong: list[Wrong] | None = None) -> str | None:
    """Return the step's name as it is recorded; what is no text as its text.

    Raises:
        TypeError: `step` is neither a text nor None.
    """
    if step is None or (type(step) is str and is_storable(step)):  # nearly every call
        return step
    return storable(_text(step, "step", "a text or None", wrong))


def action_name(name: Any, wrong: list[Wrong] | None = None) -> str:
    """Return an action's name as it is recorded; what is no text as its text.

    Raises:
        TypeError: `name` is no text.
    """
    return storable(_text(name, "the name of an action", "a text", wrong))


def _copy(mapping: Any, parameter: str, wrong: list[Wrong] | None) -> dict[Any, Any]:
    """Copy a mapping as a whole, since other threads may change it meanwhile."""
    if isinstance(mapping, dict):
        return dict.copy(mapping)
    try:
        return dict(mapping.items())
    except Exception as error:  # noqa: BLE001 - foreign code, which others may change meanwhile
        why = f"{parameter} cannot be read: {describe(error)}"
        _refuse(parameter, describe(mapping), TypeError(why), wrong)
        return {}


def _numbers(values: dict[Any, Any], wrong: list[Wrong] | None) -> dict[str, Any]:
    numbers: dict[str, Any] = {}
    for key, value in values.items():
        if not isinstance(key, str):
            why = f"the name of a metric must be a text, not {_shown(key)}"
            _refuse(f"value[{describe(key)}]", value, TypeError(why), wrong)
            continue
        number = as_number(value)
        if number is None:
            _number(value, f"value[{describe(key)}]", wrong)  # which says so
            continue
        name = storable(key)
        while name in numbers:  # of two names that are stored alike
            name = storable(f"{name}~")
        numbers[name] = number
    return numbers


def _number(value: Any, parameter: str, wrong: list[Wrong] | None) -> int | float | None:
    number = as_number(value)
    if number is None:
        error = TypeError(f"{parameter} must be a number, not {_shown(value)}")
        _refuse(parameter, value, error, wrong)
    return number


def _level(value: Any, parameter: str, wrong: list[Wrong] | None) -> str:
    return _choice(_LEVELS, value, parameter, wrong) or str(LogLevel.INFO)


def _choice(
    allowed: tuple[str, ...], value: Any, parameter: str, wrong: list[Wrong] | None
) -> str | None:
    if isinstance(value, str) and value in allowed:
        return str.__str__(value)
    why = f"{parameter}={describe(value)} is not allowed; it must be one of {', '.join(allowed)}"
    _refuse(parameter, value, ValueError(why), wrong)
    return None


def _text(value: Any, parameter: str, allowed: str, wrong: list[Wrong] | None) -> str:
    if isinstance(value, str):
        return str.__str__(value)
    error = TypeError(f"{parameter} must be {allowed}, not {_shown(value)}")
    _refuse(parameter, value, error, wrong)
    return as_text(value)


def _template(
    fields: dict[str, Any], message: Mapping[Any, Any], language: Any, wrong: list[Wrong] | None
) -> str:
    """Put the templates into `fields`, and return the one that is rendered."""
    templates: dict[str, str] = {}
    for key, template in _copy(message, "message", wrong).items():
        if isinstance(key, str) and isinstance(template, str):
            templates[str.__str__(key)] = str.__str__(template)
        else:
            why = (
                "message must map a language to a template, both text, "
                f"not {_shown(key)} to {_shown(template)}"
            )
            _refuse(f"message[{describe(key)}]", template, TypeError(why), wrong)
    if not templates:
        why = (
            f"message={describe(message)} has no template; it must map at least one language to one"
        )
        _refuse("message", message, TypeError(why), wrong)
        return as_text(message)
    fields["template"] = templates
    chosen = templates.get(language) if isinstance(language, str) else None
    return chosen or templates.get("en") or next(iter(templates.values()))


def _refuse(parameter: str, value: Any, error: Exception, wrong: list[Wrong] | None) -> None:
    if wrong is None:
        raise error
    wrong.append(Wrong(parameter, value, str(error)))


def _shown(value: Any) -> str:
    return f"{describe(value)} ({type(value).__name__})"
