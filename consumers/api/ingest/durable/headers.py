"""What headers and parameters of the protocol say, and what is refused of them."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from consumers.api.ingest.durable import offsets, values
from consumers.api.ingest.durable.stream import Verdict, Writer
from consumers.api.problems import Problem

if TYPE_CHECKING:
    from fastapi import Request

    from consumers.api.ingest.durable.keeper import Result
    from consumers.api.ingest.synapse import Report
    from synapse_stream.entries.position import Position

STREAM_HEADERS = (
    "Stream-Next-Offset",
    "Stream-Up-To-Date",
    "Stream-Closed",
    "Stream-Cursor",
    "Stream-SSE-Data-Encoding",
)
"""What answers say beside what the stream holds."""

_WRITER = ("producer-id", "producer-epoch", "producer-seq")
_NUMBER = re.compile(r"[0-9]{1,16}", re.ASCII)
_LARGEST = 2**53 - 1
_LONGEST_ID = 256
_WHO = f"Producer-Id has 1 to {_LONGEST_ID} characters, and the other two stand beside it"
_NOT_HERE = {
    "stream-ttl": "what is recorded does not expire",
    "stream-expires-at": "what is recorded does not expire",
    "stream-forked-from": "streams are not forked; `synapse-stream replay --to` copies a job",
    "stream-fork-offset": "streams are not forked",
    "stream-fork-sub-offset": "streams are not forked",
}


def refuse_what_is_not_here(request: Request) -> None:
    """Raise Problem for what would make another kind of stream."""
    for name, why in _NOT_HERE.items():
        if name in request.headers:
            raise _bad(name + ": " + why)


def media_type(request: Request) -> str | None:
    """Return what the body is, without parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() or None


def check_media_type(request: Request, expected: str) -> None:
    """Raise Problem unless the body is what the stream holds."""
    kind = media_type(request)
    if kind is None:
        raise _bad("Content-Type is needed, that of the stream")
    if kind != expected:
        detail = f"the stream holds {expected}, not {kind[:200]}"
        raise Problem(HTTPStatus.CONFLICT, detail, allowed={"content-type": expected})


def closes(request: Request) -> bool:
    """Tell whether the stream is to be closed."""
    return request.headers.get("stream-closed", "").lower() == "true"


def reports(body: bytes, content_type: str, *, closes: bool, is_first: bool) -> list[Report]:
    """Return what a body appends; a list without values is for the first one only.

    Raises:
        Problem: it is none of that media type, an empty list, or ends a stream that stays open.
    """
    if not body:
        return []
    try:
        found = values.reports_in(body, content_type)
    except ValueError as error:
        raise _bad(str(error)) from None
    if not found and not is_first:
        raise _bad("an empty list appends nothing")
    if any(one.kind == "end" for one in (found[:-1] if closes else found)):
        raise _bad("an `end` is the last value, and comes with `Stream-Closed: true`")
    return found


def writer(request: Request) -> Writer | None:
    """Return who writes, if it numbers its requests.

    Raises:
        Problem: its headers are not as they must be, or not all there.
    """
    found = [request.headers.get(name) for name in _WRITER]
    if found == [None] * len(_WRITER):
        return None
    name, *numbers = found
    if not name or len(name) > _LONGEST_ID:
        raise _bad(_WHO)
    epoch, seq = (int(one) if one and _NUMBER.fullmatch(one) else -1 for one in numbers)
    if not (0 <= epoch <= _LARGEST and 0 <= seq <= _LARGEST):
        raise _bad("Producer-Epoch and Producer-Seq are whole numbers from 0 to 2**53 - 1")
    return Writer(name, epoch, seq)


def offset(given: list[str] | None, *, is_live: bool) -> Position | None:
    """Return the entry that is read behind, None for the end.

    Raises:
        Problem: there are several, it is none of ours, or one is needed.
    """
    if given is None and is_live:
        raise _bad("with `live` an offset is needed: -1, `now`, or what Stream-Next-Offset said")
    if given is not None and len(given) != 1:
        raise _bad("one offset is enough")
    try:
        return offsets.parse(given[0] if given else None)
    except ValueError as error:
        raise _bad(str(error)) from None


def refuse(result: Result, writer: Writer | None, headers: dict[str, str]) -> None:
    """Raise Problem for what was not taken, with `headers` that say how far the stream is."""
    judged = result.judged
    epoch = {"Producer-Epoch": str(judged.epoch)}
    if judged.verdict is Verdict.STALE:
        detail = f"a writer of this name goes on with epoch {judged.epoch}"
        raise Problem(HTTPStatus.FORBIDDEN, detail, headers={**headers, **epoch})
    if judged.verdict is Verdict.NEW_EPOCH:
        raise _bad("the first number of a new Producer-Epoch is 0")
    if judged.verdict is Verdict.GAP and writer is not None:
        numbers = {
            "Producer-Expected-Seq": str(judged.seq), "Producer-Received-Seq": str(writer.seq),
        }  # fmt: skip
        detail = f"{judged.seq} was expected, and {writer.seq} came"
        raise Problem(HTTPStatus.CONFLICT, detail, headers={**headers, **numbers})
    if judged.verdict is Verdict.CLOSED:
        raise Problem(HTTPStatus.CONFLICT, "the stream is closed", headers=headers)
    if judged.verdict is Verdict.BEHIND:
        detail = f"Stream-Seq must rise: {result.stream.sequence!r} was taken already"
        raise Problem(HTTPStatus.CONFLICT, detail, headers=headers)


def accepted(result: Result) -> dict[str, str]:
    """Return how far a writer is whose request was taken, or is known."""
    judged = result.judged
    if judged.epoch is None:
        return {}
    return {"Producer-Epoch": str(judged.epoch), "Producer-Seq": str(judged.seq)}


def _bad(detail: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, detail)
