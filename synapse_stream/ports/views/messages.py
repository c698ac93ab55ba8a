"""The message feed, as readers get it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from string import Formatter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_stream.entries.position import Position


_LARGE = re.compile(r"\d{4}")
_LONGEST_TEXT = 256 * 1024


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


def render(content: str, template: Any, params: Any, language: str | None) -> str:
    """Return a message's text in `language`; as it was logged when that is not to be had.

    `ko-KR` finds the template `ko` as well. Templates and params are a plugin's: a template may
    name params and format them, but not reach into their attributes nor make a text long by a
    width. What cannot be filled is shown as it is, as it is when a message is logged.
    """
    if language is None or not isinstance(template, dict):
        return content
    chosen = template.get(language, template.get(language.partition("-")[0]))
    if not isinstance(chosen, str):
        return content
    if not isinstance(params, dict) or not params:
        return chosen
    try:
        return _Filling().vformat(chosen, (), params)
    except Exception:  # noqa: BLE001 - the template and the params are the plugin's
        return chosen


class _Filling(Formatter):
    """`str.format` for one text, without attributes, large widths and endless repetition."""

    def __init__(self) -> None:
        self._left = _LONGEST_TEXT

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if "." in field_name:
            raise ValueError(field_name)
        return super().get_field(field_name, args, kwargs)

    def format_field(self, value: Any, format_spec: str) -> Any:
        if _LARGE.search(format_spec):
            raise ValueError(format_spec)
        text = super().format_field(value, format_spec)
        self._left -= len(text)
        if self._left < 0:
            raise ValueError(self._left)
        return text
