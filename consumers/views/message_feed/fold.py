"""Message feed: what a job said, in the order in which it was folded.

Messages for users, and beside them dev events and `log` entries, told apart by `kind`. The state
counts the rows. A message keeps template and parameters: `synapse_stream.ports.views.render` makes
the text in the language a reader asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import orjson

from consumers.folding import checks
from consumers.folding.port import CannotApply, refusal
from consumers.views.message_feed.rows import MessageRow, MessageRows
from synapse_stream.models import LogLevel
from synapse_stream.ports.job_view import JobView

if TYPE_CHECKING:
    from synapse_stream.ports.job_view import Delivery

KINDS = ("message", "dev_event", "log")  # no set: an event's type may be what has no hash

_LEVELS = [level.value for level in LogLevel]
_TEXT_OF = {"message": "content", "dev_event": "message", "log": "event"}
_DETAILS = ("template", "params", "data", "truncated")


class MessageFeedView(JobView):
    """Collects the messages of a job."""

    name: ClassVar[str] = "message-feed"
    version: ClassVar[int] = 4

    def __init__(self, job_id: str, state: dict[str, Any] | None) -> None:
        super().__init__(job_id, state)
        self._rows = MessageRows()

    def begin(self) -> dict[str, Any]:
        """Return the state of a job without messages."""
        return {"rows": 0}

    def apply(self, delivery: Delivery) -> None:
        """Fold the events in order."""
        events = delivery.events
        chosen = [i for i, event in enumerate(events) if event.get("type") in KINDS]
        index = 0
        try:
            for index in chosen:
                row = _row(self.state["rows"], delivery, index, events[index])
                self._rows.append(row)
                self.state["rows"] += 1
        except Exception as error:
            raise CannotApply(index, refusal(error)) from error

    def take_rows(self) -> MessageRows:
        """Return the rows that came since the last call."""
        rows, self._rows = self._rows, MessageRows()
        return rows


def _row(number: int, delivery: Delivery, index: int, event: dict[str, Any]) -> MessageRow:
    checks.version_one(event)
    kind = event["type"]
    content = event.get(_TEXT_OF[kind])
    if content is None:
        msg = f"{_TEXT_OF[kind]}=None is not allowed; expected a text"
        raise checks.Unfit(msg)
    level = "debug" if kind == "dev_event" else checks.member(event, "level", _LEVELS)
    details = {name: event[name] for name in _DETAILS if event.get(name) is not None}
    return MessageRow(
        number,
        delivery.ms,
        delivery.seq,
        delivery.start + index,
        checks.time(event),
        kind,
        level,
        checks.step(event) or None,
        delivery.rank,
        delivery.attempt,
        content=checks.text(event, _TEXT_OF[kind]) or "",
        key=checks.text(event, "key"),
        file=checks.text(event, "file"),
        details=orjson.dumps(details).decode() if details else None,
    )
