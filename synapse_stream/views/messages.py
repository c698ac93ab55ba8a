"""The message feed, as readers get it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_stream.position import Position


@dataclass(frozen=True, slots=True)
class Message:
    """One line of the message feed."""

    position: Position
    time: int
    kind: str
    """`message`, `dev_event` or `log`."""
    level: str
    step: str | None
    rank: int
    attempt: int
    content: str
    """In the language asked for, if the message came from a template that has it."""
    key: str | None = None
    file: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    data: Any = None


class MessagePage(NamedTuple):
    """Some messages, in the order of the feed."""

    messages: Sequence[Message]
    has_more: bool
    """True when there are more in the direction that was asked for."""
