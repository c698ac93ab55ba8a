"""JSON Lines with a mapping, which says what their fields are.

{"time": "ts", "time_unit": "ms", "x": "step", "metrics": ["loss", "acc"], "text": "msg"}
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from synapse_stream.errors import ConfigError
from synapse_stream.integrations.files.source import Found, Source, Trouble, digest, entry, metrics
from synapse_stream.integrations.values import split

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1}


@dataclass(frozen=True)
class Mapping:
    """What the fields of a line are, by name."""

    time: str
    """When: a number in `time_unit` since 1970, or a text of ISO 8601."""
    time_unit: str = "s"
    x: str | None = None
    step: str | None = None
    metrics: tuple[str, ...] | None = None
    """None: all other numbers."""
    text: str | None = None
    """A text, which becomes a `log` event with what is no number."""
    known: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        named = frozenset(filter(None, (self.time, self.x, self.step, self.text)))
        object.__setattr__(self, "known", named)


def parse_mapping(text: str) -> Mapping:
    """Return the mapping that is written as a JSON object.

    Raises:
        ConfigError: it is none, or does not say which field is the time.
    """
    try:
        given = json.loads(text)
        given["metrics"] = tuple(given["metrics"]) if given.get("metrics") else None
        mapping = Mapping(**given)
        _UNITS[mapping.time_unit]
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        msg = (
            f"the mapping {text[:200]!r} must be a JSON object with time, and maybe time_unit (s, "
            f"ms, us), x, step, metrics (a list) and text, which name fields: {error}"
        )
        raise ConfigError(msg) from error
    return mapping


def source(path: Path, mapping: Mapping) -> Source:
    """Return the run of a file."""
    whole = digest([(path.name, path)])
    return Source("jsonl", str(path), whole, partial(_read, path, mapping), path.stem)


def _read(path: Path, mapping: Mapping) -> Iterator[Found | Trouble]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield from _events(json.loads(line), mapping)
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                yield Trouble(f"line {number}: {type(error).__name__}: {error}")


def _events(row: Any, mapping: Mapping) -> Iterator[Found]:
    if not isinstance(row, dict):
        msg = "it is no JSON object"
        raise TypeError(msg)
    time_us = _time(row[mapping.time], mapping.time_unit)
    step = None if mapping.step is None else row.get(mapping.step)
    others = {name: value for name, value in row.items() if name not in mapping.known}
    numbers, rest = split(others, "/")
    wanted = mapping.metrics
    chosen = {name: numbers[name] for name in numbers if wanted is None or name in wanted}
    if chosen:
        x = None if mapping.x is None else row.get(mapping.x)
        yield metrics(time_us, chosen, x, None if step is None else str(step))
    text = None if mapping.text is None else row.get(mapping.text)
    more = {**rest, **{name: numbers[name] for name in numbers if name not in chosen}}
    if text is not None or more:
        yield entry(time_us, "row" if text is None else str(text), more)


def _time(value: Any, unit: str) -> int:
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            msg = f"the time {value!r} does not say its zone"
            raise ValueError(msg)
        return round(moment.timestamp() * _UNITS["s"])
    if isinstance(value, int):
        return value * _UNITS[unit]
    micros: int = round(value * _UNITS[unit])
    return micros
