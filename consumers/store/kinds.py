"""Kinds of columns, each the same on SQLite and PostgreSQL.

A SQLite file keeps in a column whatever another hand puts there: it is read as what it is to be.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Integer, LargeBinary, Text, TypeDecorator


class Words(Text):
    """A text."""

    def result_processor(self, dialect: Any, coltype: Any) -> Any:  # noqa: D102 - SQLAlchemy's
        read = super().result_processor(dialect, coltype)
        return _as_text if dialect.name == "sqlite" else read


class Bytes(LargeBinary):
    """Bytes; of what is something else, those of its text."""

    def result_processor(self, dialect: Any, coltype: Any) -> Any:  # noqa: D102 - SQLAlchemy's
        read = super().result_processor(dialect, coltype)  # type: ignore[no-untyped-call]
        return _as_bytes if dialect.name == "sqlite" else read


def _as_text(value: Any) -> str | None:
    if value is None or type(value) is str:
        return value
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _as_bytes(value: Any) -> bytes | None:
    if value is None or type(value) is bytes:
        return value
    return str(value).encode()


# Compared by code points on both, as Python does.
Ordered = Words().with_variant(Text(collation="C"), "postgresql")

# SQLite numbers the rows of a table by itself if the key is an INTEGER, and of no other type.
Number = BigInteger().with_variant(Integer, "sqlite")


class Step(TypeDecorator[str]):
    """A step; no step is the empty one, since NULL is neither equal to NULL nor in any order."""

    impl = Ordered
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Any) -> str:  # noqa: D102
        return value or ""

    def process_result_value(self, value: str | None, _dialect: Any) -> str | None:  # noqa: D102
        return value or None
