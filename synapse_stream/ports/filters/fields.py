"""What of a run a filter, an order or a column names: fields, read from texts. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite
from typing import Any

from synapse_stream.ports.comparing import direction

LONGEST_NAME = 200
"""Characters of a name that count."""
_PIECE = re.compile(r'"((?:[^"]|"")+)"|([^."]+)')
_KINDS = ("labels", "params", "metrics")
_PLAIN = (
    *("job", "status", "action", "plugin", "owner", "error", "fingerprint", "note", "archived"),
    *("baseline", "attempt", "events"),
    *("percent", "duration", "started", "ended"),
)
TIMES = frozenset({"started", "ended"})
NUMBERS = frozenset({"attempt", "events", "percent", "duration"})
_STATS = ("last", "min", "max", "best")
_BEST = {-1: "min", 0: "last", 1: "max"}


class FilterError(ValueError):
    """The filter cannot be read; the message says where, and what was expected there."""


@dataclass(frozen=True, slots=True)
class Field:
    """What of a run is compared: `kind` labels, params, metrics or run, and the name in it."""

    kind: str
    path: tuple[str, ...]
    stat: str = ""
    """Of a metric: last, min, max or best."""

    @property
    def name(self) -> str:
        """What it is called in a run, without double quotes: `labels.team`, `error`."""
        if self.path == ("owner",) and self.kind == "run":
            return "labels.owner"
        return ".".join(self.path if self.kind == "run" else (self.kind, *self.path))[:LONGEST_NAME]

    @property
    def is_time(self) -> bool:
        """Whether it is a moment."""
        return self.kind == "run" and self.path[0] in TIMES

    @property
    def is_number(self) -> bool:
        """Whether it is a number in every run that has it."""
        return self.kind == "metrics" or (self.kind == "run" and self.path[0] in NUMBERS)

    @property
    def kept(self) -> str:
        """Of a metric what `stat` comes to: of the best whether low or high is, by its name."""
        return _BEST[direction(self.path[0])] if self.stat == "best" else self.stat

    def __str__(self) -> str:
        """Return it as it is written."""
        if self.kind == "run":
            return self.path[0]
        named = ".".join(map(_quoted, self.path))
        return ".".join(filter(None, (self.kind, named, self.stat)))


def parse_sort(text: str) -> list[tuple[Field, bool]]:
    """Read what to sort by, the most important first: fields, each and whether it descends.

    `-duration, metrics.loss.min`: a `-` before a field lets it descend.

    Raises:
        FilterError: it cannot be read.
    """
    parts = filter(None, map(str.strip, text.split(",")))
    return [(field_of(part.lstrip("+-")), part.startswith("-")) for part in parts]


def field_of(text: str) -> Field:
    """Read a field.

    Raises:
        FilterError: there is no such field.
    """
    pieces = [quoted.replace('""', '"') or bare for quoted, bare in _PIECE.findall(text)]
    is_quoted = [bool(quoted) for quoted, _ in _PIECE.findall(text)]
    kind, path = (pieces or [""])[0], tuple(pieces[1:])
    if kind in _PLAIN and not path:
        return Field("run", (kind,))
    if kind not in _KINDS or not path:
        known = f"{', '.join(_PLAIN)}, labels.NAME, params.NAME or metrics.NAME"
        near = get_close_matches(kind, _PLAIN, 1) or get_close_matches(kind, _KINDS, 1)
        meant = f"; did you mean {near[0]}?" if near and near[0] != kind else ""
        msg = f"there is no field {text!r}{meant or f'; expected {known}'}"
        raise FilterError(msg)
    if kind != "metrics":
        return Field(kind, path)
    has_stat = len(path) > 1 and path[-1] in _STATS and not is_quoted[-1]
    name = ".".join(path[:-1] if has_stat else path)
    return Field(kind, (name,), path[-1] if has_stat else "last")


def as_number(value: Any) -> float | None:
    """Return the number that a value is, or that it reads as; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value) if isinstance(value, float) or abs(value) < 2**1023 else None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if isfinite(number) else None


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name) else '"' + name.replace('"', '""') + '"'
