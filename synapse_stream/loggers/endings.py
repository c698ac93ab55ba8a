"""How a run or an action ended, told from the exception that ended it."""

from __future__ import annotations

import signal
import sys
import traceback
from typing import TYPE_CHECKING

from synapse_stream.models import RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUMMARY_CHARS = 1_000
_TRACEBACK_CHARS = 16_000
_BY_SIGNAL = 128  # and its number: the exit status of a process that a signal ended

Ending = tuple[RunStatus, str | None]


class Terminated(SystemExit):
    """SIGTERM or SIGHUP arrived: unwinds the plugin as KeyboardInterrupt does, then exits.

    The exit status is 128 and the signal's number: 143 for SIGTERM.
    """

    def __init__(self, code: int = _BY_SIGNAL + signal.SIGTERM) -> None:
        super().__init__(code)

    @property
    def signal(self) -> str:
        """Name of the signal."""
        return signal.Signals(self.args[0] - _BY_SIGNAL).name


def ending(error: BaseException | None) -> Ending:
    """Return the status that `error` means, and the text that says why.

    No error and `sys.exit(0)` are COMPLETED. KeyboardInterrupt, SIGTERM, a cancelled asyncio task
    and a closed generator are CANCELLED; also in a group, whatever else is in it, and when they
    were answered by exiting with a status. All else is FAILED, with the exception in one line and
    then its traceback.
    """
    if error is None:
        return RunStatus.COMPLETED, None
    stopped = _stop_in(error)
    if stopped is not None:
        return RunStatus.CANCELLED, stopped
    if isinstance(error, SystemExit):
        return _exit_ending(error)
    if _is_cancellation(error):
        return RunStatus.CANCELLED, type(error).__name__
    return RunStatus.FAILED, error_text(error)


def exit_ending(code: object) -> Ending:
    """Return what it means that a process exits with `code`."""
    if code is None or code == 0:
        return RunStatus.COMPLETED, None
    if isinstance(code, int):
        return RunStatus.FAILED, f"exited with status {int(code)}"
    try:
        return RunStatus.FAILED, _cut(str(code), _SUMMARY_CHARS)
    except Exception:  # noqa: BLE001 - as in `error_text`
        return RunStatus.FAILED, f"exited with a {type(code).__name__}"


def error_text(error: BaseException) -> str:
    """Return the exception in one paragraph and then its traceback, both cut; never raises."""
    try:
        summary = "".join(traceback.format_exception_only(error)).strip()
        story = "".join(traceback.format_exception(error)).strip()
    except Exception:  # noqa: BLE001 - an exception class of the plugin may raise anything when it is looked at
        return type(error).__name__
    return f"{_cut(summary, _SUMMARY_CHARS)}\n\n{_cut(story, _TRACEBACK_CHARS)}"


def _exit_ending(error: SystemExit) -> Ending:
    status, text = exit_ending(error.code)
    if status is RunStatus.FAILED:  # `except KeyboardInterrupt: sys.exit(1)`, as click does
        for earlier in _contexts(error):
            stopped = _stop_in(earlier)
            if stopped is not None:
                return RunStatus.CANCELLED, stopped
    return status, text


def _stop_in(error: BaseException) -> str | None:
    """Return what to say if somebody asked the process to stop, and that is what `error` means."""
    if isinstance(error, Terminated):
        return f"terminated by {error.signal}"
    if isinstance(error, KeyboardInterrupt):
        return type(error).__name__
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(_stop_in, error.exceptions)), None)
    return None


def _is_cancellation(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_cancellation, error.exceptions))
    return isinstance(error, (GeneratorExit, *_task_cancellations()))


def _task_cancellations() -> list[type[BaseException]]:
    # Who raises one has imported it; importing asyncio here would cost every other plugin 30 ms.
    homes = {"asyncio.exceptions": "CancelledError", "trio": "Cancelled"}
    found = [getattr(sys.modules.get(home), name, None) for home, name in homes.items()]
    return [kind for kind in found if isinstance(kind, type)]


def _contexts(error: BaseException) -> Iterator[BaseException]:
    """Yield what was being handled when `error` was raised, and so on."""
    seen = {id(error)}
    earlier = error.__cause__ or error.__context__
    while earlier is not None and id(earlier) not in seen:
        yield earlier
        seen.add(id(earlier))
        earlier = earlier.__cause__ or earlier.__context__


def _cut(text: str, limit: int) -> str:
    """Keep the first quarter and the last three: a traceback says the most at its end."""
    if len(text) <= limit:
        return text
    head, tail = limit // 4, limit - limit // 4
    return f"{text[:head]}\n… {len(text) - limit} characters cut …\n{text[-tail:]}"
