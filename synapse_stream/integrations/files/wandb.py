"""Offline runs of W&B: a `.wandb` file, in the folder of its run."""

from __future__ import annotations

import json
import struct
import zlib
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from synapse_stream.integrations.files import wire
from synapse_stream.integrations.files.source import Found, Source, Trouble, digest, entry, metrics
from synapse_stream.integrations.values import split
from synapse_stream.models import RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAGIC = b":W&B"
_BEGIN, _BLOCK, _HEAD = 7, 32_768, 7
_WHOLE, _FIRST, _LAST = 1, 2, 4
_HISTORY, _CONFIG, _STATS, _RUN, _EXIT = 2, 5, 7, 17, 18
_KEY, _NESTED, _JSON = 1, 2, 16
_LABELS = {1: "run_id", 3: "project", 6: "group", 7: "job_type", 8: "run", 9: "notes"}
_CONFIG_OF_RUN = 4
_SYSTEM = "system"


def sources(path: Path) -> list[Source]:
    """Return the run of a file, or those below a folder."""
    files = [path] if path.is_file() else sorted(path.rglob("*.wandb"))
    return [_source(file) for file in files]


def _source(file: Path) -> Source:
    labels: dict[str, Any] = {}
    params: dict[str, Any] = {}
    status = None
    for record in _messages(file.read_bytes()):
        for kind, held in () if isinstance(record, Trouble) else record:
            with suppress(ValueError):  # reading says so
                if kind == _RUN:
                    _take_run(held, labels, params)
                elif kind == _CONFIG:
                    params.update(_items(held, 1))
                elif kind == _EXIT:
                    failed = dict(wire.fields_of(held)).get(1, 0)
                    status = RunStatus.FAILED if failed else RunStatus.COMPLETED
    config = {name: value for name, value in params.items() if name != "_wandb"}
    run_id = labels.pop("run_id", file.stem.removeprefix("run-"))
    whole = digest([(file.name, file)])
    read = partial(_read, file)
    return Source("wandb", str(file), whole, read, run_id, labels, config or None, status)


def _take_run(data: bytes, labels: dict[str, Any], params: dict[str, Any]) -> None:
    for number, held in wire.fields_of(data):
        if number in _LABELS and held:
            labels[_LABELS[number]] = held.decode(errors="replace")
        elif number == _CONFIG_OF_RUN:
            params.update(_items(held, 1))


def _read(file: Path) -> Iterator[Found | Trouble]:
    time_us = 0
    for record in _messages(file.read_bytes()):
        if isinstance(record, Trouble):
            yield record
            continue
        for kind, held in record:
            if kind not in {_HISTORY, _STATS}:
                continue
            try:
                row = _items(held, 1 if kind == _HISTORY else 3)
                time_us = _time_us(held, row, kind) or time_us
                step = None if kind == _HISTORY else _SYSTEM
                yield from _events(row, time_us, row.pop("_step", None), step)
            except (ValueError, struct.error) as error:
                yield Trouble(f"a row cannot be read: {error}")


def _events(row: dict[str, Any], time_us: int, x: Any, step: str | None) -> Iterator[Found]:
    row.pop("_runtime", None)
    numbers, rest = split(row, ".")
    if numbers:
        yield metrics(time_us, dict(numbers), x, step)
    if rest:
        yield entry(time_us, "row", rest if x is None else {"x": x, **rest})


def _time_us(data: bytes, row: dict[str, Any], kind: int) -> int | None:
    """Return when a row was logged."""
    seconds = row.pop("_timestamp", None)
    if kind == _HISTORY:
        return None if seconds is None else round(seconds * 1_000_000)
    parts = dict(wire.fields_of(dict(wire.fields_of(data)).get(2, b"")))
    return (parts.get(1, 0) * 1_000_000 + parts.get(2, 0) // 1_000) or None


def _items(data: bytes, number: int) -> dict[str, Any]:
    """Return the items of a record by name, those of one inside another with a dot between."""
    found = {}
    for kind, held in wire.fields_of(data):
        if kind == number:
            names: list[str] = []
            text = b"null"
            for part, value in wire.fields_of(held):
                if part in {_KEY, _NESTED} and value:
                    names.append(value.decode(errors="replace"))
                elif part == _JSON:
                    text = value
            found[".".join(names)] = json.loads(text)
    return found


def _messages(data: bytes) -> Iterator[list[tuple[int, Any]] | Trouble]:
    """Yield the fields of each record."""
    for record in _records(data):
        if isinstance(record, Trouble):
            yield record
            continue
        try:
            yield list(wire.fields_of(record))
        except ValueError as error:
            yield Trouble(f"a record is none of W&B's: {error}")


def _records(data: bytes) -> Iterator[bytes | Trouble]:
    """Yield what stands in the blocks of the log, put together."""
    at = _BEGIN
    parts: bytes | None = None
    while at + _HEAD <= len(data):
        left = _BLOCK - at % _BLOCK
        if left < _HEAD:
            at += left
            continue
        checksum, size, kind = struct.unpack_from("<IHB", data, at)
        held = data[at + _HEAD : at + _HEAD + size]
        if zlib.crc32(held, zlib.crc32(bytes([kind]))) != checksum or len(held) < size:
            end = min(len(data), at + left)
            yield Trouble(f"bytes {at} to {end} are damaged")
            at, parts = end, None
            continue
        if kind in {_WHOLE, _FIRST}:
            parts = held
        elif parts is not None:  # else it begins in what is damaged
            parts += held
        if kind in {_WHOLE, _LAST} and parts is not None:
            yield parts
        at += _HEAD + size
    if at < len(data):
        yield Trouble(f"the last record is cut at byte {len(data)}")
