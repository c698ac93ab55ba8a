"""What a report call accepts, and the fields of the event it becomes; the same for every logger.

Each function returns the fields, or raises TypeError (not that kind of value) or ValueError (out of
range), naming the parameter, the value and what is allowed.

Names of metrics and steps are kept up to 512 characters, because views index them. A longer one
keeps its first 480, an ellipsis and 16 hexadecimal digits of its SHA-256: still one name for one
series.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import Enum
from hashlib import sha256
from math import isfinite
from typing import Any

from synapse_stream.models import LogLevel, RunStatus
from synapse_stream.plain import as_text, describe
from synapse_stream.tags import SAFE_INTEGER, nearest_float

MAX_NAME = 512

_KEPT_OF_NAME = 480
_CONTEXTS = tuple(map(str, (LogLevel.INFO, LogLevel.WARNING, LogLevel.SUCCESS, LogLevel.DANGER)))
_LEVELS = tuple(map(str, LogLevel))
_ENDINGS = tuple(str(status) for status in RunStatus if status.is_terminal)


def metrics(value: Any, x: Any = None) -> dict[str, Any]:
    """Check `set_metrics`: a mapping of names to numbers, NaN and infinities among them.

    NumPy and PyTorch scalars, one-element arrays, Decimal, Fraction and bool are numbers.

    Raises:
        TypeError: `value` is no mapping, a name no text, or a number (also `x`) none.
    """
    values = value.copy() if type(value) is dict else _items(value)
    for name, number in values.items():
        kind = type(number)
        if (kind is not float and kind is not int) or type(name) is not str or len(name) > MAX_NAME:
            values = {
                _metric_name(key): _number(item, "value", key) for key, item in values.items()
            }
            break
    return {"values": values} if x is None else {"values": values, "x": _number(x, "x")}


def progress(current: Any, total: Any) -> dict[str, Any]:
    """Check `set_progress`: finite numbers with total > 0 and 0 <= current <= total.

    Raises:
        TypeError: one of them is no number.
        ValueError: they are not in that range.
    """
    if type(current) is type(total) is int and 0 <= current <= total <= SAFE_INTEGER and total:
        return {"current": current, "total": total}
    done, whole = _double(_number(current, "current")), _double(_number(total, "total"))
    if whole > 0 and 0 <= done <= whole and isfinite(whole):
        return {"current": done, "total": whole}
    msg = (
        f"progress of current={describe(current)}, total={describe(total)} is not possible; "
        "both must be finite, with total > 0 and 0 <= current <= total"
    )
    raise ValueError(msg)


def progress_failed(error: Any = None) -> dict[str, Any]:
    """Return the fields of `set_progress_failed`; any `error` becomes text."""
    return {"failed": True} if error is None else {"failed": True, "error": as_text(error)}


def message(message: Any, context: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """Check `log_message` and render its content.

    Templates are filled as `str.format` does, if there are params. One that cannot be filled is
    shown as it is, because a typo in a message must not end a run. Of several languages English is
    rendered, else the first; templates and params are kept for the others. A message code (a member
    of a str enum) is kept as `key`.

    Raises:
        TypeError: `message` is neither a text nor a mapping of language to template.
        ValueError: `context` is none of info, warning, success, danger, nor a LogLevel.
    """
    allowed = _LEVELS if isinstance(context, LogLevel) else _CONTEXTS
    fields: dict[str, Any] = {"content": "", "level": _choice(allowed, context, "context")}
    if isinstance(message, str):
        template = str.__str__(message)
    elif isinstance(message, Mapping):
        templates = fields["template"] = _templates(message)
        template = templates.get("en") or next(iter(templates.values()))
    else:
        msg = f"message must be a text or a mapping of language to template, not {_shown(message)}"
        raise TypeError(msg)
    fields["content"] = _render(template, params)
    if isinstance(message, Enum):
        fields["key"] = template
    if params:
        fields["params"] = dict(params)
    return fields


def dev_event(message: Any, data: Any = None) -> dict[str, Any]:
    """Return the fields of `log_dev_event`; everything is allowed."""
    text = message if type(message) is str else as_text(message)
    return {"message": text} if data is None else {"message": text, "data": data}


def log(event: Any, data: Any, file: Any = None, level: Any = LogLevel.INFO) -> dict[str, Any]:
    """Check `log`: an event name, a mapping, and maybe a path.

    Raises:
        TypeError: `event` is no text, `data` no mapping, `file` no path.
        ValueError: `level` is no LogLevel.
    """
    if not isinstance(event, str):
        msg = f"event must be a text, not {_shown(event)}"
        raise TypeError(msg)
    if not isinstance(data, Mapping):
        msg = f"data of event {event!r} must be a mapping, not {_shown(data)}"
        raise TypeError(msg)
    fields = {"event": event, "data": data, "level": _choice(_LEVELS, level, "level")}
    if file is None:
        return fields
    if not isinstance(file, (str, os.PathLike)):
        msg = f"file of event {event!r} must be a path or None, not {_shown(file)}"
        raise TypeError(msg)
    return {**fields, "file": os.fsdecode(file)}


def end(status: Any, error: Any = None, result: Any = None) -> dict[str, Any]:
    """Check `end_log`: a status that nothing can follow; any `error` becomes text.

    Raises:
        ValueError: `status` is not completed, failed or cancelled.
    """
    fields: dict[str, Any] = {"status": _choice(_ENDINGS, status, "status")}
    if error is not None:
        fields["error"] = as_text(error)
    if result is not None:
        fields["result"] = result
    return fields


def step_name(step: Any) -> str | None:
    """Return the step's name as it is recorded.

    Raises:
        TypeError: `step` is neither a text nor None.
    """
    if type(step) is str and len(step) <= MAX_NAME:  # nearly every call
        return step
    if step is None:
        return None
    if not isinstance(step, str):
        msg = f"step must be a text or None, not {_shown(step)}"
        raise TypeError(msg)
    return _short_name(step)


def _items(value: Any) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        msg = f"value must be a mapping of metric names to numbers, not {_shown(value)}"
        raise TypeError(msg)
    return dict(value.items())


def _metric_name(name: Any) -> str:
    if not isinstance(name, str):
        msg = f"the name of a metric must be a text, not {_shown(name)}"
        raise TypeError(msg)
    return _short_name(name)


def _short_name(name: str) -> str:
    name = str.__str__(name)
    if len(name) <= MAX_NAME:
        return name
    digest = sha256(name.encode(errors="surrogatepass")).hexdigest()
    return f"{name[:_KEPT_OF_NAME]}…{digest[:16]}"


def _number(value: Any, parameter: str, key: Any = None) -> int | float:
    try:
        number = _as_number(value)
    except Exception:  # noqa: BLE001 - an array of several elements, or any foreign code
        number = None
    if number is None:
        name = parameter if key is None else f"{parameter}[{describe(key)}]"
        msg = f"{name} must be a number, not {_shown(value)}"
        raise TypeError(msg)
    return number


def _as_number(value: Any) -> int | float | None:
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if hasattr(value, "dtype") and getattr(value.dtype, "kind", "") in {"m", "M"}:
        return None  # a date or duration: its item() may be a bare count of nanoseconds
    if hasattr(type(value), "item"):
        value = value.item()
        if isinstance(value, int):
            return int.__int__(value)
    return nearest_float(value) if hasattr(type(value), "__float__") else None


def _double(number: float) -> int | float:
    return number if -SAFE_INTEGER <= number <= SAFE_INTEGER else nearest_float(number)


def _choice(allowed: tuple[str, ...], value: Any, parameter: str) -> str:
    if isinstance(value, str) and value in allowed:
        return str.__str__(value)
    msg = f"{parameter}={describe(value)} is not allowed; it must be one of {', '.join(allowed)}"
    raise ValueError(msg)


def _templates(message: Mapping[Any, Any]) -> dict[str, str]:
    templates = dict(message.items())
    for language, template in templates.items():
        if not isinstance(language, str) or not isinstance(template, str):
            msg = (
                "message must map a language to a template, both text, "
                f"not {_shown(language)} to {_shown(template)}"
            )
            raise TypeError(msg)
    if not templates:
        msg = "message={} has no template; it must map at least one language to one"
        raise TypeError(msg)
    return templates


def _render(template: str, params: Mapping[str, Any]) -> str:
    if not params:
        return template
    try:
        return template.format_map(params)
    except Exception:  # noqa: BLE001 - the template and the params are the plugin's
        return template


def _shown(value: Any) -> str:
    return f"{describe(value)} ({type(value).__name__})"
