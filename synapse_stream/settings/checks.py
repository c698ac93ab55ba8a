"""What a setting may be: each kind has a name, which stands as the type of the setting."""

from __future__ import annotations

import re
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

Positive: TypeAlias = float
"""A number above 0."""
Seconds: TypeAlias = float
"""0 or more."""
Count: TypeAlias = int
"""A whole number from 1."""
Bytes: TypeAlias = int
"""A whole number from 0."""
SpoolBytes: TypeAlias = int
"""A whole number from 16 MiB."""
Partitions: TypeAlias = int
"""A whole number, 1 to 4096."""
Name: TypeAlias = str
"""1 to 64 letters, digits, dots, dashes and underscores."""

Origins: TypeAlias = str
"""Addresses of sites, joined by commas."""
Hosts: TypeAlias = str
"""IP addresses and networks, joined by commas."""

_SMALLEST_SPOOL = 16 * 1024 * 1024
_MOST_PARTITIONS = 4096
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_ORIGINS = re.compile(r"https?://[^\s,/*]+(,https?://[^\s,/*]+)*")
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


def _number(least: float = 0.0, *, is_least_allowed: bool = True) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        number = value if isinstance(value, (int, float)) else _read(float, value, "a number")
        if not (least < number < inf or (is_least_allowed and number == least)):
            sign = "from" if is_least_allowed else "above"
            msg = f"it should be a number {sign} {least:g}"
            raise ValueError(msg)
        return float(number)

    return check


def _whole(least: int, most: float = inf) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        number = int(value) if is_whole else _read(int, value, "a whole number")
        if not least <= number <= most:
            end = "" if most == inf else f" to {most:g}"
            msg = f"it should be a whole number from {least}{end}"
            raise ValueError(msg)
        return number

    return check


def _flag(value: Any) -> bool:
    word = str(value).strip().lower()
    if word not in _TRUE | _FALSE:
        msg = "it should be true, 1, yes, on or false, 0, no, off"
        raise ValueError(msg)
    return word in _TRUE


def _text(value: Any) -> str:
    if not isinstance(value, str):
        msg = "it should be a text"
        raise TypeError(msg)
    return value


def _name(value: Any) -> str:
    if _NAME.fullmatch(_text(value)) is None:
        msg = "it should be 1 to 64 letters, digits, dots, dashes or underscores"
        raise ValueError(msg)
    return str(value)


def _origins(value: Any) -> str:
    if _ORIGINS.fullmatch(_text(value)) is None:
        msg = "it should be https://host:port, several joined by commas"
        raise ValueError(msg)
    return str(value)


def _hosts(value: Any) -> str:
    from ipaddress import ip_network  # noqa: PLC0415 - a plugin has none

    try:
        return ",".join(str(ip_network(one.strip())) for one in _text(value).split(","))
    except ValueError:
        msg = "it should be addresses or networks such as 10.0.0.0/8, several joined by commas"
        raise ValueError(msg) from None


def _secret(value: Any) -> SecretStr:
    from pydantic import SecretStr  # noqa: PLC0415 - a plugin has none

    return value if isinstance(value, SecretStr) else SecretStr(_text(value))


def _path(value: Any) -> Path:
    return Path(value)


def _or_none(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else check(value)


def _read(kind: Callable[[str], Any], value: Any, what: str) -> Any:
    try:
        return kind(_text(value))
    except (ValueError, TypeError):
        msg = f"it should be {what}"
        raise ValueError(msg) from None


_PLAIN: dict[str, Callable[[Any], Any]] = {
    "Positive": _number(is_least_allowed=False),
    "Seconds": _number(),
    "Count": _whole(1),
    "Bytes": _whole(0),
    "SpoolBytes": _whole(_SMALLEST_SPOOL),
    "Partitions": _whole(1, _MOST_PARTITIONS),
    "Name": _name,
    "Origins": _origins,
    "Hosts": _hosts,
    "bool": _flag,
    "str": _text,
    "Path": _path,
    "SecretStr": _secret,
}
CHECKS = _PLAIN | {f"{name} | None": _or_none(check) for name, check in _PLAIN.items()}
"""Type of a setting, as it is written, to what checks and converts a value."""
