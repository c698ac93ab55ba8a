"""The one way of saying something to people, from any thread: it neither raises nor blocks.

What is said goes to the stdlib logger `synapse_stream`, and so to handlers, filters and formatters
that are the plugin's: they may raise, they may hang, they may report to us in turn, and standard
error may be closed, missing, or a pipe that nobody reads. So a thread of its own talks to them,
started when there is something to say and ended when there is not; who says something waits for it
a second at most, and not at all while an earlier word is stuck.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import deque
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any

from synapse_stream.events.plain import clean, describe
from synapse_stream.saying.outlet import Outlet
from synapse_stream.system.signals import broken_pipe_raises, is_plugins_own

if TYPE_CHECKING:
    from contextvars import Context

_LONGEST_WAIT_SECONDS = 1.0
_MOST_WAITING = 100
_CALLER = 3  # frames between `findCaller` and whoever calls `warn`, `tell`, `error` or `fault`
_PLAIN = (int, float)  # exactly these: a subclass may do anything when it is formatted

_LAST_RESORT = logging.lastResort
_FORMATTER = logging.Formatter()
_STANDARD_ERROR = Outlet()

_logger = logging.getLogger("synapse_stream")
_is_heard: ContextVar[bool] = ContextVar("synapse_stream_is_heard", default=False)


def warn(message: str, *args: Any) -> None:
    """Say that something needs attention; the arguments are filled in as `logging` does."""
    _say(logging.WARNING, message, args)


def tell(message: str, *args: Any) -> None:
    """Say what was asked for; as a warning, for those are shown where nothing is set up."""
    _say(logging.WARNING, message, args)


def error(message: str, *args: Any) -> None:
    """Say that something failed."""
    _say(logging.ERROR, message, args)


def fault(message: str, *args: Any) -> None:
    """Say that something of ours failed, with the traceback of the exception in hand."""
    _say(logging.ERROR, message, args, is_fault=True)


class _Voice:
    """Words that wait for the thread that says them."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # reentrant: a signal handler may have something to say
        self._waiting: deque[tuple[logging.LogRecord, Context, threading.Event]] = deque()
        self._speaker: threading.Thread | None = None
        self._is_stuck = False

    def say(self, record: logging.LogRecord) -> None:
        """Have it said, and wait until it was, within the bound."""
        was_said = threading.Event()
        with self._lock:
            if len(self._waiting) >= _MOST_WAITING:
                return
            self._waiting.append((record, copy_context(), was_said))
            is_silent = self._speaker is None or not self._speaker.is_alive()
            must_speak = is_silent and not self._begin()
        if must_speak:
            self._speak()
        if not self._is_stuck:
            self._is_stuck = not was_said.wait(_LONGEST_WAIT_SECONDS)

    def _begin(self) -> bool:
        """Start the thread that speaks; False when none can start."""
        if sys.is_finalizing():  # a thread that starts now never runs, and its `start` hangs
            return False
        self._speaker = threading.Thread(
            target=self._speak, name="synapse-stream-voice", daemon=True
        )
        try:
            self._speaker.start()
        except BaseException as failure:  # too many of them, or the interpreter shuts down
            if is_plugins_own(failure):
                raise  # whether it speaks or not: who comes next looks whether it lives
            return False
        return True

    def _speak(self) -> None:
        try:
            self._speak_all()
        except BaseException as failure:  # put into the thread from outside
            if is_plugins_own(failure):
                raise

    def _speak_all(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._speaker, self._is_stuck = None, False
                    return
                record, context, was_said = self._waiting.popleft()
            try:
                context.run(_hand_to_logging, record)
            finally:
                was_said.set()


def _say(level: int, message: str, args: tuple[Any, ...], *, is_fault: bool = False) -> None:
    if _is_heard.get():
        return  # a handler that reports what it is told: there would be no end to it
    try:
        if _logger.isEnabledFor(level):
            trouble = sys.exc_info() if is_fault else None
            where = _logger.findCaller(stacklevel=_CALLER)
            safe = tuple(arg if type(arg) in _PLAIN else _text(arg) for arg in args)
            _VOICE.say(
                _logger.makeRecord(
                    _logger.name, level, *where[:2], message, safe, trouble, where[2]
                )
            )
    except BaseException as failure:
        if is_plugins_own(failure):
            raise


def _text(arg: Any) -> str:
    try:
        return clean(str(arg))
    except Exception:  # noqa: BLE001 - foreign code may raise anything
        return describe(arg)


def _hand_to_logging(record: logging.LogRecord) -> None:
    _is_heard.set(True)
    try:
        with broken_pipe_raises():
            if _logger.hasHandlers() or logging.lastResort is not _LAST_RESORT:
                _logger.handle(record)
            else:  # as `logging` does, but what it could not write would wait for the exit
                _STANDARD_ERROR.write(f"{_FORMATTER.format(record)}\n")
    except BaseException as failure:
        if is_plugins_own(failure):
            raise
        _STANDARD_ERROR.write(f"synapse-stream: {record.getMessage()}\n")  # better than nothing


_VOICE = _Voice()
os.register_at_fork(after_in_child=_VOICE.__init__)  # type: ignore[misc]  # its thread is not there
