"""Lines of a spool as a SIGKILL, or a bad disk, left them, made readable and whole again."""

from __future__ import annotations

import re

import orjson

from synapse_stream.entries.batch import decode_events
from synapse_stream.errors import DecodeError
from synapse_stream.events.encoding import encode

NUMBER = re.compile(rb'^\{"seq":(\d+),', re.MULTILINE)
"""The number that an event line begins with."""


def line(number: int, time: int, body: bytes) -> bytes:
    """Return an event line; `time` is in microseconds since the epoch."""
    return b'{"seq":%d,"time":%d,%b\n' % (number, time, body)


def mend(lines: bytes, following: int, time: int) -> bytes:
    """Return the lines of a segment with a `loss` event in the place of each unreadable one.

    The same lines are mended to the same bytes each time.

    Args:
        lines: whole lines.
        following: number expected first, for a segment whose first line is unreadable.
        time: of what is put in, in microseconds.
    """
    if _are_whole(lines):
        return lines
    mended: list[bytes] = []
    number = max(following, _number_of_first(lines))
    for text in lines.split(b"\n")[:-1]:
        if _is_event(text, number):
            mended.append(text + b"\n")
        else:
            mended.append(line(number, time, _unreadable(number)))
        number += 1
    return b"".join(mended)


def numbered_from(lines: bytes, otherwise: int) -> int:
    """Return the number of the first of some mended lines."""
    found = NUMBER.match(lines)
    return int(found[1]) if found else otherwise


def _are_whole(lines: bytes) -> bool:
    """Tell whether all lines are events that follow each other; in one go, there are many."""
    try:
        numbers = [event["seq"] for event in decode_events(lines)]
    except (DecodeError, KeyError, TypeError):
        return False
    following = list(range(numbers[0], numbers[0] + lines.count(b"\n"))) if numbers else []
    return numbers == following == [int(number) for number in NUMBER.findall(lines)]


def _is_event(text: bytes, number: int) -> bool:
    found = NUMBER.match(text)
    if found is None or int(found[1]) != number:
        return False
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False


def _unreadable(number: int) -> bytes:
    fields = {
        "counts": {"unknown": 1},
        "first": number,
        "last": number,
        "reason": "unreadable in the spool",
    }
    (body,) = encode("loss", None, fields)
    return body


def _number_of_first(lines: bytes) -> int:
    """Return the number that the first line must have, by the first line that can be read."""
    for index, text in enumerate(lines.split(b"\n")):
        if found := NUMBER.match(text):
            return int(found[1]) - index
    return -1
