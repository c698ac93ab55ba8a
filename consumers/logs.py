"""Logs of our own processes: one JSON object a line on standard error, for a person plain text."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections import Counter
from datetime import UTC, datetime
from math import log10
from typing import TYPE_CHECKING

from synapse_stream.redaction.urls import is_readable, without_secrets
from synapse_stream.saying.text import printable
from synapse_stream.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from types import TracebackType

_MOST_KINDS = 1_000
_URLS = tuple(f"{PREFIX}{name}" for name in ("REDIS_URL", "STORE_URL", "ANCHORS"))


class JsonLines(logging.Formatter):
    """One object a record: `time` (UTC), `level`, `process`, `pid`, `logger`, `message`, `error`.

    `error` is the traceback, where there is one.
    """

    def __init__(self, process: str, hide: Callable[[str], str]) -> None:
        super().__init__()
        self._process = process
        self._hide = hide

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        fields: dict[str, str | int] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self._process,
            "pid": os.getpid(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        for name in ("message", "error"):
            if name in fields:
                fields[name] = self._hide(str(fields[name]))
        line = json.dumps(fields, ensure_ascii=False)
        return line.encode(errors="replace").decode()  # not every reader takes half a pair


class PlainText(logging.Formatter):
    """What a person at a terminal reads; what a job says does not drive it."""

    def __init__(self, process: str, hide: Callable[[str], str]) -> None:
        super().__init__(f"%(asctime)s %(levelname)s {process}: %(message)s")
        self._hide = hide

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        return printable(self._hide(super().format(record)))


class Repeats(logging.Filter):
    """Lets an error through once a kind, with its traceback, and then only counts it.

    Of one kind are errors that are told in the same words, of one type and raised in one place, and
    what the HTTP server warns of in the same words. The 10th, the 100th … are told in a line each.
    """

    def __init__(self) -> None:
        super().__init__()
        self._times: Counter[Hashable] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the record is to be written; of one that came before, less of it."""
        error = record.exc_info[1] if record.exc_info else None
        if error is None and not (record.name.startswith("uvicorn") and _is_bad(record)):
            return True
        said = record.getMessage()
        kind = (record.name, said, type(error), _place(error))
        if len(self._times) >= _MOST_KINDS and kind not in self._times:
            self._times.clear()
        self._times[kind] += 1
        times = self._times[kind]
        if times > 1:
            record.msg, record.args = f"{said}, the {times}. time", ()
            record.exc_info = record.exc_text = None
        return log10(times).is_integer()


def _is_bad(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


def _place(error: BaseException | None) -> Hashable:
    """Return where an error was raised."""
    places = list(traceback.walk_tb(error.__traceback__)) if error else []
    return (places[-1][0].f_code.co_filename, places[-1][1]) if places else None


def _hide(text: str) -> str:
    """Return what is logged without the passwords of our URLs, whoever's error repeats them."""
    for name in _URLS:
        url = os.environ.get(name, "")
        if is_readable(url):
            text = without_secrets(text, url)
    return text


def write_logs(process: str, level: int = logging.WARNING) -> None:
    """Have this process log to standard error, what ends it included.

    Args:
        process: what it calls itself in each line, such as `run-state` or `api`.
        level: lowest that is written.
    """
    handler = logging.StreamHandler()
    kind = PlainText if sys.stderr.isatty() else JsonLines
    handler.setFormatter(kind(process, _hide))
    handler.addFilter(Repeats())
    logging.basicConfig(handlers=[handler], level=level)
    logging.captureWarnings(capture=True)

    def log_last_error(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        logging.getLogger(process).critical("ends by an error", exc_info=(kind, error, trace))

    sys.excepthook = log_last_error
