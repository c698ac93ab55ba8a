"""What `logging` is told goes into a run: `logging.getLogger().addHandler(RunHandler())`."""

from __future__ import annotations

import logging
import threading
from functools import wraps
from typing import TYPE_CHECKING, Any

from synapse_stream.events.plain import as_text
from synapse_stream.integrations.current import Current
from synapse_stream.models import LogLevel

if TYPE_CHECKING:
    from synapse_stream.reporting.context import RuntimeContext

_OURS = "synapse_stream"
_OUR_THREADS = "synapse-stream-"
_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_LEVELS = (
    (logging.CRITICAL, LogLevel.CRITICAL),
    (logging.ERROR, LogLevel.ERROR),
    (logging.WARNING, LogLevel.WARNING),
    (logging.INFO, LogLevel.INFO),
)
_FORMATTER = logging.Formatter()
_installed: list[RunHandler] = []


class RunHandler(logging.Handler):
    """Makes each record a `log` event: the message, and as its data what else the record knows.

    `logger` (its name), `place` (file and line), `exception` and `stack` as text, `extra`. With a
    formatter, the message is what that makes of the record. What Synapse Stream itself says is left
    out, and what the libraries say that it sends with: that would never end.

    Args:
        level: records below it are left out, as by any handler.
        run: the run to report to; None: the one that is open, else a new one.
    """

    def __init__(
        self, level: int | str = logging.NOTSET, run: RuntimeContext | None = None
    ) -> None:
        super().__init__(level)
        self._current = Current(run)
        self._is_for_any = run is None
        self._inside = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        """Report a record; nothing raises."""
        if _installed and self._is_for_any and self is not _installed[0]:
            return  # that one has reported it
        is_inner = getattr(self._inside, "is_reporting", False)
        self._inside.is_reporting = True
        try:
            if not _is_ours(record):
                data = {"logger": record.name, "place": f"{record.pathname}:{record.lineno}"}
                if not is_inner:  # else a value says something when it is looked at
                    _add_more(record, data)
                text, level = self._text(record), _level(record.levelno)
                self._current.tell("log", text, data, None, level)
        except Exception as failure:  # noqa: BLE001 - anybody may make a record of anything
            self._current.logger.complain(failure)
        finally:
            self._inside.is_reporting = is_inner

    def _text(self, record: logging.LogRecord) -> str:
        try:
            return record.getMessage() if self.formatter is None else self.format(record)
        except Exception as failure:  # noqa: BLE001 - arguments that do not fit, as `logging` says
            return f"{as_text(record.msg)} {as_text(record.args)} ({failure})"


def install() -> None:
    """Have every logger report, in front of its handlers.

    Not as a handler of the root logger: where that has one, `basicConfig` would do nothing.
    """
    theirs = logging.Logger.callHandlers
    if hasattr(theirs, "__wrapped__"):
        return
    handler = RunHandler()

    @wraps(theirs)
    def call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
        handler.handle(record)
        theirs(logger, record)

    logging.Logger.callHandlers = call_handlers  # type: ignore[assignment,method-assign]
    _installed.append(handler)


def _is_ours(record: logging.LogRecord) -> bool:
    """Tell whether it is said by us, or by a library in a thread of ours."""
    name = record.name
    is_named = name.startswith(_OURS) and name[len(_OURS) :][:1] in {"", "."}
    return is_named or (record.threadName or "").startswith(_OUR_THREADS)


def _add_more(record: logging.LogRecord, data: dict[str, Any]) -> None:
    if record.exc_info and record.exc_info[0] is not None:
        data["exception"] = record.exc_text or _FORMATTER.formatException(record.exc_info)
    elif record.exc_text:
        data["exception"] = record.exc_text
    if record.stack_info:
        data["stack"] = record.stack_info
    fields = vars(record)
    extra = fields.keys() - _KNOWN
    if extra:
        data["extra"] = {name: fields[name] for name in fields if name in extra}


def _level(number: int) -> str:
    for limit, level in _LEVELS:
        if number >= limit:
            return level.value
    return LogLevel.DEBUG.value
