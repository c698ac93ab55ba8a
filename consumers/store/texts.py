"""Any text in a database: PostgreSQL takes no NUL character, and LIKE has characters of its own."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Text, TypeDecorator

_ESCAPE = "\ufffe"  # a noncharacter, valid in UTF-8, that hardly any text has
_NUL = f"{_ESCAPE}0"


def to_stored(text: str) -> str:
    """Return `text` without NUL characters; `from_stored` gives them back."""
    if "\0" in text or _ESCAPE in text:
        return text.replace(_ESCAPE, _ESCAPE * 2).replace("\0", _NUL)
    return text


def from_stored(text: str) -> str:
    """Undo `to_stored`."""
    if _ESCAPE not in text:
        return text
    parts = text.split(_ESCAPE * 2)
    return _ESCAPE.join(part.replace(_NUL, "\0") for part in parts)


def like_anywhere(text: str) -> str:
    r"""Return the LIKE pattern, with `\` as escape, of stored texts that contain `text`."""
    plain = to_stored(text)
    for special in ("\\", "%", "_"):
        plain = plain.replace(special, "\\" + special)
    return f"%{plain}%"


class AnyText(TypeDecorator[str]):
    """A text column that keeps every character."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:  # noqa: ARG002
        """Make it storable."""
        return None if value is None else to_stored(value)

    def process_result_value(self, value: str | None, dialect: Any) -> str | None:  # noqa: ARG002
        """Give it back."""
        return None if value is None else from_stored(value)
