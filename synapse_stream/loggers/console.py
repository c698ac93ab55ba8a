"""The logger for a person at a terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, TextIO

from synapse_stream.events.plain import describe, plain
from synapse_stream.loggers.base import BaseLogger
from synapse_stream.loggers.terminal import LineDisplay
from synapse_stream.models import ActionStatus, LogLevel, RunStatus
from synapse_stream.saying.outlet import Outlet
from synapse_stream.saying.text import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.loggers.terminal import Display

_METRICS_SECONDS = 0.1  # a line of metrics a step at most that often; a tight loop reports far more
_MOST_ITEMS = 12
_LONGEST_ITEM = 80
_INDENT = " " * 18  # behind time and label: a message cannot forge a line of its own

_STYLES = {
    LogLevel.DEBUG: "dim",
    LogLevel.INFO: "",
    LogLevel.SUCCESS: "green",
    LogLevel.WARNING: "yellow",
    LogLevel.DANGER: "bold red",
    LogLevel.ERROR: "bold red",
    LogLevel.CRITICAL: "bold red",
}
_OUTCOME_STYLES = {
    RunStatus.COMPLETED: "green",
    RunStatus.FAILED: "bold red",
    RunStatus.CANCELLED: "yellow",
    ActionStatus.SKIPPED: "dim",
}


class ConsoleLogger(BaseLogger):
    """Shows a run: bars with the time left, messages in their level's colour, metrics in a line.

    Without a terminal, or without Rich, there are plain lines, for progress one each tenth of the
    way. A stream that takes no more is left alone, which is said once. What the job
    says is shown as text only: neither markup nor control characters have an effect. Metrics that
    come faster than ten times a second are shown as the newest of them.

    Args:
        stream: where to write; None: standard error.
        debug: show dev events, and what is of level debug.
    """

    def __init__(
        self, job_id: str | None = None, *, stream: TextIO | None = None, debug: bool = False
    ) -> None:
        super().__init__(job_id)
        self._display = _open_display(stream)
        self._debug = debug
        self._is_child = False
        self._lock = threading.RLock()
        self._metrics_due: dict[str | None, float] = {}
        self._held_metrics: dict[str | None, str] = {}
        self._shows: dict[str, Callable[[str | None, dict[str, Any]], None]] = {
            "run_started": self._show_start,
            "progress": self._show_progress,
            "metrics": self._show_metrics,
            "message": self._show_message,
            "dev_event": self._show_dev_event,
            "log": self._show_log,
            "action": self._show_action,
            "end": self._show_end,
        }

    def to_copy(self) -> tuple[type[Any], dict[str, Any]]:
        """Return what the copy in another process is made of: it shows on standard error."""
        return type(self), {"job_id": self.job_id, "debug": self._debug, "is_over": self._is_over}

    def become_copy(self, parts: dict[str, Any]) -> None:
        """Show what is reported here, and no end, as the run goes on."""
        ConsoleLogger.__init__(self, parts["job_id"], debug=parts["debug"])
        self._ended = self._is_over = parts["is_over"]
        self.leave_to_parent()

    def record(self, kind: str, step: str | None, fields: dict[str, Any]) -> None:
        """Show one event."""
        show = self._shows.get(kind)
        if show is None:
            return
        with self._lock:
            try:
                show(step, fields)
            except Exception:
                if isinstance(self._display, LineDisplay):
                    raise
                self._display = self._display.in_child()  # it does without threads and terminals
                show(step, fields)
            trouble, self._display.outlet.trouble = self._display.outlet.trouble, None
        if trouble is not None:
            self.complain(trouble)

    def close(self) -> None:
        """Take the bars off the terminal's hands; a second call changes nothing."""
        with self._lock:
            self._display.close()

    def _show_start(self, _step: str | None, fields: dict[str, Any]) -> None:
        action = f": {one_line(str(fields['action']))}" if fields.get("action") else ""
        self._line("run", f"{self._title()} started{action}", "bold")

    def _show_progress(self, step: str | None, fields: dict[str, Any]) -> None:
        name = one_line(step or "progress")
        if fields.get("failed"):
            self._display.fail(name)
            reason = f": {_first_line(fields['error'])}" if fields.get("error") else ""
            self._line("FAILED", f"{name}{reason}", _STYLES[LogLevel.DANGER])
        else:
            line = self._display.progress(name, fields["current"], fields["total"])
            if line is not None:
                self._line("progress", line)

    def _show_metrics(self, step: str | None, fields: dict[str, Any]) -> None:
        at = {"x": fields["x"]} if "x" in fields else {}
        line = f"{one_line(step)}: " if step else ""
        self._held_metrics[step] = line + _items({**fields["values"], **at})
        now = time.monotonic()
        if now >= self._metrics_due.get(step, 0.0):
            self._metrics_due[step] = now + _METRICS_SECONDS
            self._line("metrics", self._held_metrics.pop(step), "cyan")

    def _show_message(self, _step: str | None, fields: dict[str, Any]) -> None:
        self._show_held_metrics()  # what was measured before is not shown behind
        self._say(fields["level"], fields["level"].upper(), printable(fields["content"]))

    def _show_dev_event(self, _step: str | None, fields: dict[str, Any]) -> None:
        data = f" {_items(fields['data'])}" if "data" in fields else ""
        self._say(LogLevel.DEBUG, "dev", one_line(fields["message"]) + data)

    def _show_log(self, _step: str | None, fields: dict[str, Any]) -> None:
        file = f" file={one_line(fields['file'])}" if "file" in fields else ""
        text = f"{one_line(fields['event'])} {_items(fields['data'])}{file}"
        self._say(fields["level"], "event", text)

    def _show_action(self, _step: str | None, fields: dict[str, Any]) -> None:
        self._show_outcome("action", one_line(fields["name"]), fields)

    def _show_end(self, _step: str | None, fields: dict[str, Any]) -> None:
        if not self._is_child:  # the run goes on
            self._show_held_metrics()
            self._display.close()
            self._show_outcome("run", self._title(), fields)

    def _show_outcome(self, label: str, name: str, fields: dict[str, Any]) -> None:
        reason = f": {_first_line(fields['error'])}" if fields.get("error") else ""
        style = _OUTCOME_STYLES.get(fields["status"], "")
        self._line(label, f"{name} {fields['status']}{reason}", style)

    def _show_held_metrics(self) -> None:
        for line in self._held_metrics.values():
            self._line("metrics", line, "cyan")
        self._held_metrics.clear()

    def _say(self, level: LogLevel, label: str, text: str) -> None:
        if self._debug or level != LogLevel.DEBUG:
            self._line(label, text, _STYLES[level])

    def _line(self, label: str, text: str, style: str = "") -> None:
        indented = text.replace("\n", f"\n{_INDENT}")
        self._display.line(f"{time.strftime('%H:%M:%S')} {label:<8} {indented}", style)

    def _title(self) -> str:
        return one_line(self.job_id) if self.job_id else "run"

    def leave_to_parent(self) -> None:
        """Start anew in a forked child, with a display of its own."""
        super().leave_to_parent()
        self._is_child = True
        self._lock = threading.RLock()
        self._display = self._display.in_child()


def _first_line(error: str) -> str:
    return one_line(error.strip().partition("\n")[0])


def _items(data: Any) -> str:
    if not isinstance(data, Mapping):
        return _brief(data)
    if isinstance(data, dict):
        data = dict.copy(data)  # other threads may change it meanwhile
    shown = [f"{_brief(name)}={_brief(value)}" for name, value in islice(data.items(), _MOST_ITEMS)]
    rest = len(data) - len(shown)
    return " ".join([*shown, f"… {rest} more"] if rest > 0 else shown)


def _brief(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.5g}"
    simple = plain(value)
    text = one_line(simple if isinstance(simple, str) else describe(simple))
    return text if len(text) <= _LONGEST_ITEM else f"{text[: _LONGEST_ITEM - 1]}…"


def _open_display(stream: TextIO | None) -> Display:
    """Return bars when `stream` (None: standard error) is a terminal that can draw, else lines."""
    outlet = Outlet(stream)
    if outlet.isatty():
        try:
            from synapse_stream.loggers.bars import LiveDisplay  # noqa: PLC0415 - brings Rich

            display = LiveDisplay(outlet)
        except Exception:  # noqa: BLE001 - it is not installed, or broken: lines need nothing
            return LineDisplay(outlet)
        if display.can_draw:
            return display
    return LineDisplay(outlet)
