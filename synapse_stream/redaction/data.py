"""Anything that a plugin passes as plain data, with secrets masked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from enum import Enum
from numbers import Number
from pathlib import PurePath
from typing import Any
from uuid import UUID

from synapse_stream.redaction.names import MASK, is_token, looks_secret
from synapse_stream.redaction.text import redact_text

_DEEPEST = 32
_PLAIN = (Number, PurePath, date, time, timedelta, UUID, type(None))


def redact(value: Any) -> Any:
    """Return `value` as plain data in which nothing that looks secret is left; never raises.

    Masked are values under a name such as `password`, `api_key` or `token`, at any depth; passwords
    of URLs and `password=…` within text; pydantic's SecretStr; and whatever cannot be looked into:
    an object of an unknown class, bytes, data nested deeper than 32. Numbers, dates, paths, enums,
    models and dataclasses come through.
    """
    return _redact(value, 0)


def _redact(value: Any, depth: int) -> Any:
    try:
        return _look_into(value, depth)
    except Exception:  # noqa: BLE001 - the plugin's classes may raise anything; what is unclear stays hidden
        return MASK


def _look_into(value: Any, depth: int) -> Any:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, _PLAIN):
        return value
    if depth >= _DEEPEST:
        return MASK
    named = _named_values(value)
    if named is not None:
        return {
            redact_text(str(name)): _redact_named(str(name), item, depth + 1)
            for name, item in named.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_redact(item, depth + 1) for item in list(value)]
    return MASK


def _named_values(value: Any) -> Mapping[Any, Any] | None:
    if isinstance(value, dict):
        return dict.copy(value)  # other threads may change it meanwhile
    if isinstance(value, Mapping):
        return value
    if hasattr(type(value), "model_fields"):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return value._asdict()  # type: ignore[no-any-return]
    return None


def _redact_named(name: str, value: Any, depth: int) -> Any:
    # `max_tokens: 4096` is a count; a token itself is text.
    is_count = is_token(name) and isinstance(value, Number)
    if value is None or isinstance(value, bool) or is_count or not looks_secret(name):
        return _redact(value, depth)
    return MASK
