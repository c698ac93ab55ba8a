"""TensorBoard's event files: a folder of them is a run."""

from __future__ import annotations

import struct
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from synapse_stream.integrations.files import wire
from synapse_stream.integrations.files.source import Found, Source, Trouble, digest, entry, metrics
from synapse_stream.integrations.files.tfrecords import records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PART_OF_NAME = "tfevents"
_FORMAT = "tensorboard"
_MICROSECONDS = 1_000_000

_TIME, _STEP, _SUMMARY = 1, 2, 5
_TAG, _SIMPLE, _TENSOR, _METADATA = 1, 2, 8, 9
_KINDS = {3: "old histograms", 4: "images", 5: "histograms", 6: "sounds"}
_DTYPE, _CONTENT, _FLOATS, _DOUBLES, _INTS, _STRINGS, _INT64S = 1, 4, 5, 6, 7, 8, 10
_PACKED = {1: "f", 2: "d", 3: "i", 9: "q"}
_LISTS = {_FLOATS: "f", _DOUBLES: "d"}


def sources(path: Path) -> list[Source]:
    """Return the runs of a file or of a folder with those in it."""
    if path.is_file():
        return [_source(path.parent, [path], path)]
    by_folder: dict[Path, list[Path]] = {}
    for file in sorted(path.rglob(f"*{PART_OF_NAME}*")):
        if file.is_file():
            by_folder.setdefault(file.parent, []).append(file)
    return [_source(path, files, folder) for folder, files in by_folder.items()]


def _source(root: Path, files: list[Path], place: Path) -> Source:
    run = place.resolve().name if place == root else str(place.relative_to(root))
    whole = digest((file.name, file) for file in files)
    return Source(_FORMAT, str(place), whole, partial(_read, files), run, {"run": run})


def _read(files: list[Path]) -> Iterator[Found | Trouble]:
    left_out: Counter[str] = Counter()
    for file in files:
        for record in records(file.read_bytes()):
            if isinstance(record, Trouble):
                yield Trouble(f"{file.name}: {record.text}")
                continue
            try:
                yield from _events(record, left_out)
            except (ValueError, struct.error) as error:
                yield Trouble(f"{file.name}: a record is no event: {error}")
    for kind, count in sorted(left_out.items()):
        yield Trouble(f"{count} {kind}", is_damage=False)


def _events(record: bytes, left_out: Counter[str]) -> Iterator[Found]:
    time_us, step = 0, 0
    summaries = []
    for number, value in wire.fields_of(record):
        if number == _TIME:
            time_us = round(wire.double(value) * _MICROSECONDS)
        elif number == _STEP:
            step = wire.signed(value)
        elif number == _SUMMARY:
            summaries.append(value)
    values = [_value(part) for each in summaries for _, part in wire.fields_of(each)]
    left_out.update(kind for _, _, kind in values if kind is not None)
    texts = [(tag, value) for tag, value, kind in values if kind is None and isinstance(value, str)]
    for tag, text in texts:
        yield entry(time_us, text, {"tag": tag, "global_step": step})
    for tag, value, kind in values:
        if kind is None and not isinstance(value, str):
            yield metrics(time_us, {tag: value}, step)


def _value(summary: bytes) -> tuple[str, Any, str | None]:
    """Return tag and value of a part of a summary, and what kind it is of, if it is left out."""
    tag, value, kind, plugin = "", None, None, ""
    for number, held in wire.fields_of(summary):
        if number == _TAG:
            tag = held.decode(errors="replace")
        elif number == _SIMPLE:
            value = wire.single(held)
        elif number == _TENSOR:
            value = _tensor(held)
        elif number == _METADATA:
            plugin = _plugin(held)
        else:
            kind = _KINDS.get(number, kind)
    if plugin == "hparams" or (value is None and kind is None):
        kind = f"values of {plugin or 'unknown kinds'}"
    return tag, value, kind


def _plugin(metadata: bytes) -> str:
    """Return which part of TensorBoard shows it."""
    for number, held in wire.fields_of(metadata):
        if number == 1:
            for inner, name in wire.fields_of(held):
                if inner == 1:
                    return str(name.decode(errors="replace"))
    return ""


def _tensor(data: bytes) -> Any:
    """Return the number or text that a tensor holds; None if it is not one."""
    dtype, found = 0, []
    for number, held in wire.fields_of(data):
        if number == _DTYPE:
            dtype = held
        elif number == _CONTENT and dtype in _PACKED:
            found += [value for (value,) in struct.iter_unpack(f"<{_PACKED[dtype]}", held)]
        elif number in _LISTS:
            found += [value for (value,) in struct.iter_unpack(f"<{_LISTS[number]}", held)]
        elif number in {_INTS, _INT64S}:
            packed = wire.varints(held) if isinstance(held, bytes) else [held]
            found += [wire.signed(value) for value in packed]
        elif number == _STRINGS:
            found.append(held.decode(errors="replace"))
    return found[0] if len(found) == 1 else None
