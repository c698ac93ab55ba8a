"""The filter language: SQL's WHERE as MLflow's search of runs has it, with OR, NOT and parentheses.

    status = failed AND metrics.loss.min < 0.3 AND (params.model = 'resnet' OR labels.team IN (a))

    filter     = and, { "OR", and }
    and        = not, { "AND", not }
    not        = "NOT", not | "(", filter, ")" | comparison
    comparison = field, operator, value | field, [ "NOT" ], ( "LIKE" | "ILIKE" ), value
               | field, [ "NOT" ], "IN", "(", value, { ",", value }, ")"
    operator   = "=" | "!=" | "<" | "<=" | ">" | ">="

A field is a name, or a kind and a name in it, in double quotes where it is no plain word:
`params.optimizer.lr`, `metrics."val/loss".max`. A value is a number, a duration (`90s`, `10m`,
`2h`, `7d`), a word, or a text in single quotes. In a LIKE, `%` stands for any text and `_` for one
character. What a run does not have compares as false, whatever the operator. What is a number in
every run is compared with numbers only. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synapse_stream.ports.filters.fields import FilterError, as_number, field_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.ports.filters.fields import Field

    Value = float | str

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^']|'')*')
    | (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?P<unit>ms|min|[smhd])?(?![\w./-]))
    | (?P<operator><=|>=|!=|<>|==|[=<>(),])
    | (?P<word>(?:"(?:[^"]|"")+"|[^\s"'()=<>!,]+)+)
    )""",
    re.VERBOSE,
)
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_COMPARISONS = {"=", "!=", "<", "<=", ">", ">="}
_SAME = {"==": "=", "<>": "!="}
_KEYWORDS = {"AND", "OR", "NOT", "IN", "LIKE", "ILIKE"}
_DEEPEST = 50
LONGEST = 2_000
"""Characters of a filter."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field, an operator in capitals, and the value, or of IN several."""

    field: Field
    operator: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """What must not hold."""

    part: Filter


@dataclass(frozen=True, slots=True)
class Both:
    """Parts that must all hold, or with `is_any` one of them."""

    parts: tuple[Filter, ...]
    is_any: bool = False


Filter = Comparison | Not | Both


def parse(text: str) -> Filter | None:
    """Read a filter; None for an empty one.

    Raises:
        FilterError: it cannot be read.
    """
    if len(text) > LONGEST:
        msg = f"a filter has at most {LONGEST} characters, this one {len(text)}"
        raise FilterError(msg)
    return _Parser(text).parse() if text.strip() else None


def fields(part: Filter | None) -> list[Field]:
    """Return the fields that a filter names, each once, in its order."""
    if part is None:
        return []
    if isinstance(part, Comparison):
        return [part.field]
    inner = part.parts if isinstance(part, Both) else (part.part,)
    return list(dict.fromkeys(field for one in inner for field in fields(one)))


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0
        self._depth = 0

    def parse(self) -> Filter:
        found = self._or()
        if self._peek() is not None:
            raise self._unexpected("AND, OR or the end")
        return found

    def _or(self) -> Filter:
        return self._several(self._and, "OR", is_any=True)

    def _and(self) -> Filter:
        return self._several(self._not, "AND", is_any=False)

    def _several(self, read: Callable[[], Filter], word: str, *, is_any: bool) -> Filter:
        parts = [read()]
        while self._take(word):
            parts.append(read())
        return parts[0] if len(parts) == 1 else Both(tuple(parts), is_any)

    def _not(self) -> Filter:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._unexpected("less parts in one another")
        try:
            if self._take("NOT"):
                return Not(self._not())
            if not self._take("("):
                return self._comparison()
            found = self._or()
            self._demand(")")
            return found
        finally:
            self._depth -= 1

    def _comparison(self) -> Filter:
        token = self._peek()
        if token is None or token.lastgroup != "word" or token["word"].upper() in _KEYWORDS:
            raise self._unexpected("a field, such as status or metrics.loss.min")
        field = field_of(token["word"])
        self._place = token.end()
        is_not = self._take("NOT")
        if self._take("IN"):
            self._demand("(")
            values = [self._value_of(field)]
            while self._take(","):
                values.append(self._value_of(field))
            self._demand(")")
            found: Filter = Comparison(field, "IN", tuple(values))
        else:
            operator = self._operator(field, is_not=is_not)
            found = Comparison(field, operator, (self._value_of(field),))
        return Not(found) if is_not else found

    def _operator(self, field: Field, *, is_not: bool) -> str:
        for word in () if field.is_number or field.is_time else ("LIKE", "ILIKE"):
            if self._take(word):
                return word
        token = self._peek()
        written = token["operator"] if token is not None else None
        operator = _SAME.get(written or "", written)
        if token is None or operator not in _COMPARISONS or is_not:
            raise self._unexpected(
                "LIKE, ILIKE or IN" if is_not else "=, !=, <, <=, >, >=, IN or LIKE"
            )
        self._place = token.end()
        return operator

    def _value_of(self, field: Field) -> Value:
        before = self._place
        value = self._value()
        if not field.is_number or isinstance(value, float):
            return value
        number = as_number(value)
        if number is None:
            self._place = before
            raise self._unexpected("a number")
        return number

    def _value(self) -> Value:
        token = self._peek()
        if token is None or token["operator"] is not None:
            raise self._unexpected("a value: a number, a duration, a word or a text in '…'")
        self._place = token.end()
        if token["text"] is not None:
            return token["text"][1:-1].replace("''", "'")
        if token["number"] is None:
            return token["word"].strip('"')
        unit = token["unit"] or ""
        number = float(token["number"].removesuffix(unit)) if unit else float(token["number"])
        return number * _UNITS.get(unit, 1)

    def _peek(self) -> re.Match[str] | None:
        if not self._text[self._place :].strip():
            return None
        found = _TOKEN.match(self._text, self._place)
        if found is None:
            raise self._unexpected("a field, an operator or a value")
        return found

    def _take(self, wanted: str) -> bool:
        token = self._peek()
        if token is None or token.group().strip().upper() != wanted:
            return False
        self._place = token.end()
        return True

    def _demand(self, wanted: str) -> None:
        if not self._take(wanted):
            raise self._unexpected(wanted)

    def _unexpected(self, expected: str) -> FilterError:
        rest = self._text[self._place :].strip()
        at = f"at {rest[:40]!r}" if rest else "at its end"
        return FilterError(
            f"the filter {self._text[:200]!r} cannot be read {at}; expected {expected}"
        )
