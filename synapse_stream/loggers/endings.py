"""How a run or an action ended, told from the exception that ended it; SIGTERM as one of them."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING

from synapse_stream.models import RunStatus

if TYPE_CHECKING:
    from types import FrameType

_SUMMARY_CHARS = 1_000
_TRACEBACK_CHARS = 16_000


class Terminated(SystemExit):
    """SIGTERM arrived: unwinds the plugin as KeyboardInterrupt does, then exits with status 143."""


class _Termination:
    """Makes SIGTERM an exception while runs are open and nobody else handles it."""

    def __init__(self) -> None:
        self._runs: set[object] = set()
        self.has_arrived = False

    def catch(self, run: object) -> None:
        """Handle the signal until `run` is released; from the main thread, as only that can."""
        self.has_arrived = False
        if threading.current_thread() is threading.main_thread():
            self._runs.add(run)
            if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
                signal.signal(signal.SIGTERM, self._terminate)

    def release(self, run: object) -> None:
        """Give the signal back when no run is left."""
        self._runs.discard(run)
        if not self._runs:
            self._give_back()

    def leave_to_parent(self) -> None:
        """Give the signal back in a forked child, where it must not unwind the parent's code."""
        self._runs.clear()
        self._give_back()

    def _give_back(self) -> None:
        if signal.getsignal(signal.SIGTERM) == self._terminate:
            with suppress(ValueError):  # not the main thread; raising ends the process as well
                signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _terminate(self, _number: int, _frame: FrameType | None) -> None:
        # No report and no lock here: the interrupted code may be holding it.
        self.has_arrived = True
        raise Terminated(128 + signal.SIGTERM)


TERMINATION = _Termination()
os.register_at_fork(after_in_child=TERMINATION.leave_to_parent)


def ending(error: BaseException | None) -> tuple[RunStatus, str | None]:
    """Return the status that `error` means, and the text that says why.

    No error and `sys.exit(0)` are COMPLETED. KeyboardInterrupt, SIGTERM, a cancelled asyncio task
    and a closed generator are CANCELLED. All else is FAILED, with the exception in one line and
    then its traceback.
    """
    if error is None:
        return RunStatus.COMPLETED, None
    if isinstance(error, Terminated):
        return RunStatus.CANCELLED, "terminated by SIGTERM"
    if isinstance(error, SystemExit):
        return _exit_ending(error.code)
    if isinstance(error, (KeyboardInterrupt, GeneratorExit)) or _is_task_cancellation(error):
        return RunStatus.CANCELLED, type(error).__name__
    return RunStatus.FAILED, error_text(error)


def error_text(error: BaseException) -> str:
    """Return the exception in one paragraph and then its traceback, both cut; never raises."""
    try:
        summary = "".join(traceback.format_exception_only(error)).strip()
        story = "".join(traceback.format_exception(error)).strip()
    except Exception:  # noqa: BLE001 - an exception class of the plugin may raise anything when it is looked at
        return type(error).__name__
    return f"{_cut(summary, _SUMMARY_CHARS)}\n\n{_cut(story, _TRACEBACK_CHARS)}"


def _exit_ending(code: object) -> tuple[RunStatus, str | None]:
    if code is None or code == 0:
        return RunStatus.COMPLETED, None
    if isinstance(code, int):
        return RunStatus.FAILED, f"exited with status {int(code)}"
    return RunStatus.FAILED, _cut(str(code), _SUMMARY_CHARS)


def _is_task_cancellation(error: BaseException) -> bool:
    # Who raises it has imported it; importing asyncio here would cost every other plugin 30 ms.
    module = sys.modules.get("asyncio.exceptions")
    return module is not None and isinstance(error, module.CancelledError)


def _cut(text: str, limit: int) -> str:
    """Keep the first quarter and the last three: a traceback says the most at its end."""
    if len(text) <= limit:
        return text
    head, tail = limit // 4, limit - limit // 4
    return f"{text[:head]}\n… {len(text) - limit} characters cut …\n{text[-tail:]}"
