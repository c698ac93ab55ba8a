"""A stream for people to look at, which may be closed, full or gone: then what is shown is lost.

Nobody may be at the other end of a pipe, a pager may have quit or not be scrolled, a terminal may
have been closed or stopped, a process may have no standard error, and a plugin may have put
anything in its place. None of that is trouble of the plugin, so writing raises nothing and, where
the stream is a descriptor, does not wait for long.
"""

from __future__ import annotations

import io
import os
import select
import sys
from typing import Any, TextIO

from synapse_stream.system.signals import broken_pipe_raises, is_plugins_own

_PATIENCE_MS = 200  # for one that is full, the first time
_AT_ONCE = {True: 512, False: select.PIPE_BUF}  # bytes that one that is ready takes; for terminals
_GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL

PAST_CAPTURE: dict[int, int] = {}
"""Where a descriptor leads whose output is recorded: what we show is no output of the plugin."""


class Outlet:
    """What is shown goes through here; it looks like a text stream, for Rich.

    Args:
        stream: where it goes; None: standard error, whatever that is at the time.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.trouble: Exception | None = None
        """Why the stream does not take anything any more; None while it does."""
        self._given = stream
        self._broken: Any = None  # the stream that is
        self._is_full = False

    @property
    def stream(self) -> Any:
        """The stream itself, or None."""
        found = sys.stderr if self._given is None else self._given
        return getattr(found, "rich_proxied_file", found)  # while Rich stands in for it

    @property
    def encoding(self) -> str:
        """Name of an encoding that is there."""
        named = getattr(self.stream, "encoding", None)
        if named is None:
            return "utf-8"
        try:
            "".encode(named)
        except (LookupError, TypeError):
            return "ascii"
        return str(named)

    def isatty(self) -> bool:
        """True for a terminal that is there."""
        try:
            return bool(self.stream.isatty())
        except BaseException as failure:  # closed, None, or any object
            if is_plugins_own(failure):
                raise
            return False

    def fileno(self) -> int:
        """Return the descriptor.

        Raises:
            OSError: there is none.
        """
        try:
            return int(self.stream.fileno())
        except (AttributeError, TypeError, ValueError) as error:
            raise OSError(str(error)) from error

    def write(self, text: str) -> int:
        """Show the text, or nothing; what the stream's encoding lacks is written as an escape."""
        stream = self.stream
        if stream is None or stream is self._broken:
            return len(text)
        try:
            data = text.encode(self.encoding, errors="backslashreplace")
            descriptor = _descriptor_of(stream)
            if descriptor is None:
                stream.write(data.decode(self.encoding))
                stream.flush()
            else:
                stream.flush()
                past = PAST_CAPTURE.get(descriptor, descriptor)
                self._write_all(past, data, is_terminal=os.isatty(past))
        except BlockingIOError:
            self._is_full = True
        except BaseException as failure:
            if is_plugins_own(failure):
                raise
            self._broken = stream
            self.trouble = OSError(f"{type(failure).__name__}: {failure}")
        return len(text)

    def flush(self) -> None:
        """Do nothing: all is written at once."""

    def _write_all(self, descriptor: int, data: bytes, *, is_terminal: bool) -> None:
        """Write as long as it can be done without waiting, and what is left not at all.

        Past Python's own buffers: what stayed in them would end the process with status 120.

        Raises:
            OSError: nobody will ever read it.
        """
        while data:
            ready = _ready(descriptor, 0 if self._is_full else _PATIENCE_MS)
            if ready & _GONE:
                msg = "nobody is there to read it"
                raise OSError(msg)
            self._is_full = not ready
            if self._is_full:
                return
            with broken_pipe_raises():
                written = os.write(descriptor, data[: _AT_ONCE[is_terminal]])
            data = data[written:]


def _ready(descriptor: int, timeout_ms: int) -> int:
    """Wait until something can be written; return what `poll` tells, 0 after the time."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    try:
        return next((flags for _, flags in poll.poll(timeout_ms)), 0)
    except OSError:  # not even one descriptor is allowed
        _, ready, _ = select.select([], [descriptor], [], timeout_ms / 1000)
        return select.POLLOUT if ready else 0


def _descriptor_of(stream: Any) -> int | None:
    """Return the descriptor that Python's own text streams write to; None for all others."""
    if type(stream) is not io.TextIOWrapper:
        return None
    raw = getattr(stream.buffer, "raw", stream.buffer)
    return raw.fileno() if type(raw) is io.FileIO else None
