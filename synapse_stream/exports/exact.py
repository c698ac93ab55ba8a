"""The exact format: JSON Lines, as one zstd frame, that holds every byte of a run.

    {"synapse_stream_export":1,"job":"job-42"}            and "joins", "erased", where there are any
    {"batch":{"at":"1763880000000-0","producer":"…","first":0,"last":1,"hash":"…","salts":"…","lines":2}}
    {"seq":0,"time":…}                              the lines, exactly as the producer wrote them
    {"seq":1,"time":…}
    {"batch":{…,"data":"<base64>"}}                 where they are not one JSON object each
    {"entry":{"at":"…","fields":[["<base64>","<base64>"],…]}}      an entry that is no batch
    {"end":{"entries":…,"events":…,"first":…,"last":…,"root":"…","producers":{…},"sha256":"…"}}

`sha256` is taken over everything before the last line, `root` is that of the tree over all entries.
The same run gives the same bytes.
"""

from __future__ import annotations

import io
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import IO, TYPE_CHECKING, Any, Protocol, cast

import orjson
import zstandard

from synapse_stream.entries.batch import RawEntry, decode_events, parse_fields, unpack
from synapse_stream.entries.entry import recorded_batch
from synapse_stream.entries.erasing import parse_erasures
from synapse_stream.entries.position import Position
from synapse_stream.errors import DecodeError
from synapse_stream.exports.chains import Joins, Summary, parse_joins

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.entries.erasing import Erasure

VERSION = 1

_LEVEL = 3
_BUFFER_BYTES = 1024 * 1024
_LONGEST_LINE = 128 * 1024 * 1024
_FRAME_WINDOW = 128 * 1024 * 1024


class _Sink(Protocol):
    def write(self, data: bytes, /) -> Any:
        """Take bytes."""


def write_exact(
    job_id: str,
    entries: Iterable[RecordedBatch],
    file: IO[bytes],
    joins: Joins,
    erasures: Sequence[Erasure] = (),
) -> dict[str, Any]:
    """Write a run; return what its last line says. Memory holds one entry at a time.

    Args:
        job_id: of the run.
        entries: all of them.
        file: where to write.
        joins: of the run, as `JobReader.joins` returns them.
        erasures: of the run, as `JobReader.erasures` returns them.
    """
    summary, digest = Summary(job_id), sha256()
    head: dict[str, Any] = {"synapse_stream_export": VERSION, "job": job_id}
    head |= {"joins": joins} if joins else {}
    head |= {"erased": [one._asdict() for one in erasures]} if erasures else {}
    with zstandard.ZstdCompressor(_LEVEL).stream_writer(file, closefd=False) as sink:
        _write(sink, digest, _line(head))
        for entry in entries:
            summary.add(entry)
            _write(sink, digest, _written(job_id, entry))
        end = {**summary.as_json(), "sha256": digest.hexdigest()}
        sink.write(_line({"end": end}))
    return end


class DamagedExport(DecodeError):
    """The file is not what was exported; the message names the line."""


class ExactFile:
    """An export to be read: first its job, then its entries, all of it checked."""

    def __init__(self, file: IO[bytes]) -> None:
        """Begin to read.

        Raises:
            DecodeError: the file is no export, or of a newer version.
        """
        self._file = io.BufferedReader(cast("io.RawIOBase", file), _BUFFER_BYTES)
        self._lines = self._file  # unpacked by somebody: the lines are what counts
        if self._file.peek(4)[:4] == zstandard.FRAME_HEADER:
            frame: Any = zstandard.ZstdDecompressor(max_window_size=_FRAME_WINDOW).stream_reader(
                self._file, read_across_frames=False, closefd=False
            )
            self._lines = io.BufferedReader(frame, _BUFFER_BYTES)
        self._digest = sha256()
        self._number = 0
        head = self._next()
        version = head.get("synapse_stream_export")
        if version != VERSION or not isinstance(head.get("job"), str):
            msg = f"the file is no export of version {VERSION}: it begins with {head!r:.100}"
            raise DecodeError(msg)
        self.job_id: str = head["job"]
        try:
            self.joins = parse_joins(head.get("joins", {}))
            self.erasures = parse_erasures(head.get("erased", ()))
        except (DecodeError, ValueError) as error:
            raise self._refusal(str(error)) from error

    def entries(self) -> Iterator[RecordedBatch]:
        """Yield every entry; at the end the counts, heads and digest have been compared.

        Raises:
            DamagedExport: the file is cut or was changed.
        """
        summary = Summary(self.job_id, self.joins)
        while True:
            before = self._digest.hexdigest()
            head = self._next()
            if "end" in head:
                self._compare(head["end"], {**summary.as_json(), "sha256": before})
                return
            try:
                entry = recorded_batch(self.job_id, self._entry(head))
                summary.add(entry, check=True)
            except DamagedExport:
                raise
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                raise self._refusal(str(error)) from error
            yield entry

    def _entry(self, head: dict[str, Any]) -> RawEntry:
        if "entry" in head:
            entry = head["entry"]
            fields = {b64decode(name): b64decode(value) for name, value in entry["fields"]}
            return RawEntry(*Position.parse(entry["at"])[:2], fields)
        batch = head["batch"]
        lines = batch.get("lines")
        data = (
            b64decode(batch["data"])
            if lines is None
            else b"".join(self._read_line() for _ in range(lines))
        )
        fields = {
            b"p": batch["producer"].encode(),
            b"n": b"%d" % batch["first"],
            b"m": b"%d" % batch["last"],
            b"h": bytes.fromhex(batch["hash"]),
            b"s": bytes.fromhex(batch["salts"]),
            b"d": data,
        }
        return RawEntry(*Position.parse(batch["at"])[:2], fields)

    def _next(self) -> dict[str, Any]:
        line = self._read_line()
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            msg = f"no JSON: {error}"
            raise self._refusal(msg) from error
        if not isinstance(found, dict):
            raise self._refusal("no JSON object")
        return found

    def _read_line(self) -> bytes:
        try:
            line = self._lines.readline(_LONGEST_LINE)
        except zstandard.ZstdError as error:
            msg = f"the file is no zstd frame, or was changed behind line {self._number}: {error}"
            raise DecodeError(msg) from error
        self._number += 1
        if not line.endswith(b"\n"):
            raise self._refusal("the file ends before its last line, so it is not whole")
        self._digest.update(line)
        return line

    def _compare(self, told: Any, found: dict[str, Any]) -> None:
        for name, value in found.items():
            there = told.get(name) if isinstance(told, dict) else told
            if there != value:
                msg = f"{name} should be {there!r:.300}, but what was read gives {value!r:.300}"
                raise self._refusal(msg)
        if not self._is_at_end():
            raise self._refusal("there is more behind the last line")

    def _is_at_end(self) -> bool:
        try:
            return not (self._lines.read(1) or self._file.read(1))
        except zstandard.ZstdError:
            return False

    def _refusal(self, reason: str) -> DamagedExport:
        return DamagedExport(f"line {self._number} of the export: {reason}")


def _write(sink: _Sink, digest: Any, text: bytes) -> None:
    sink.write(text)
    digest.update(text)


def _written(job_id: str, entry: RecordedBatch) -> bytes:
    raw = unpack(job_id, RawEntry(entry.ms, entry.seq, entry.raw or {}))
    at, parts = f"{entry.ms}-{entry.seq}", parse_fields(raw.fields)
    if parts is None or parts.is_compressed:
        fields = [[_base64(word) for word in pair] for pair in raw.fields.items()]
        return _line({"entry": {"at": at, "fields": fields}})
    batch: dict[str, Any] = {
        "at": at,
        "producer": parts.producer.decode(),
        "first": parts.first,
        "last": parts.last,
        "hash": parts.hash.hex(),
        "salts": parts.salts.hex(),
    }
    if not _is_json_lines(parts.payload):
        return _line({"batch": {**batch, "data": _base64(parts.payload)}})
    batch["lines"] = parts.payload.count(b"\n")
    return _line({"batch": batch}) + parts.payload


def _is_json_lines(data: bytes) -> bool:
    """Tell whether every line is a JSON object, and the last one ends like the others."""
    if not data.endswith(b"\n"):
        return False
    try:
        events = decode_events(data)
    except DecodeError:
        return False
    return len(events) == data.count(b"\n") and set(map(type, events)) == {dict}


def _line(content: Any) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)


def _base64(data: bytes) -> str:
    return b64encode(data).decode()
