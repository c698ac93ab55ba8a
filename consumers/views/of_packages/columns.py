"""What a view of another package declares as its row: the columns of its table."""

from __future__ import annotations

from math import isfinite
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from consumers.folding.checks import Unfit, unfit, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_stream.ports.job_view import JobView

_KINDS = (str, int, float, bool)
_LARGEST = 2**63
_LONGEST_NAME = 60


class Column(NamedTuple):
    """One column."""

    name: str
    kind: type
    is_optional: bool

    def taken(self, value: Any) -> Any:
        """Return a value as the table stores it.

        Raises:
            Unfit: it is none of this column's.
        """
        if value is None and self.is_optional:
            return None
        if self.kind is float and type(value) in {int, float} and isfinite(value):
            return float(value) + 0.0  # SQLite knows no negative zero
        is_fit = type(value) is self.kind and self.kind is not float
        if not is_fit or (self.kind is int and not -_LARGEST <= value < _LARGEST):
            allowed = {float: "a finite float", int: "an int of 64 bits"}.get(self.kind)
            allowed = f"{allowed or self.kind.__name__}{' or None' * self.is_optional}"
            raise unfit(self.name, value, allowed)
        return visible(value) if self.kind is str else value


def columns_of(view: type[JobView]) -> Sequence[Column]:
    """Return the columns that a view declares; none of one that has no rows.

    Raises:
        TypeError: they are not as they must be.
    """
    if view.row is None:
        return ()
    fields = getattr(view.row, "_fields", ())
    try:
        hints = get_type_hints(view.row)
        columns = [_column(name, hints[name]) for name in fields]
    except (KeyError, NameError) as error:
        msg = f"the type of {view.row!r} cannot be read: {type(error).__name__}: {error}"
        raise TypeError(msg) from error
    if not columns or len({column.name.casefold() for column in columns}) < len(columns):
        msg = f"row={view.row!r}; expected a NamedTuple with fields, none of them named twice"
        raise TypeError(msg)
    return columns


def taken(columns: Sequence[Column], row: Any) -> tuple[Any, ...]:
    """Return a row as the table stores it.

    Raises:
        Unfit: it is none of this table's.
    """
    if not columns:
        msg = "it has given a row, but declares none: set `row` to a NamedTuple"
        raise Unfit(msg)
    if not isinstance(row, tuple) or len(row) != len(columns):
        raise unfit("row", row, f"a tuple of {len(columns)} values")
    return tuple(column.taken(value) for column, value in zip(columns, row, strict=True))


def _column(name: str, hint: Any) -> Column:
    kinds = {*get_args(hint)} if get_origin(hint) in {UnionType, Union} else {hint}
    is_optional = NoneType in kinds
    kinds.discard(NoneType)
    if len(kinds) != 1 or not kinds <= {*_KINDS} or not name.isascii() or len(name) > _LONGEST_NAME:
        allowed = ", ".join(kind.__name__ for kind in _KINDS)
        msg = (
            f"the column {name!r} is {hint!r}; expected one of {allowed}, each also with None, "
            f"and a name of at most {_LONGEST_NAME} plain letters"
        )
        raise TypeError(msg)
    return Column(name, kinds.pop(), is_optional)
