"""Logs of our own processes: one JSON object a line on standard error, for a person plain text."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from synapse_stream.redaction.urls import is_readable, without_secrets
from synapse_stream.saying.text import printable
from synapse_stream.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

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
    logging.basicConfig(handlers=[handler], level=level)
    logging.captureWarnings(capture=True)

    def log_last_error(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        logging.getLogger(process).critical("ends by an error", exc_info=(kind, error, trace))

    sys.excepthook = log_last_error
