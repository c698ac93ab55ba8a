"""Whether all that an attempt's producers reported is there, by their marks in the ledger."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from synapse_stream.ports.views import Completeness, CompletenessStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    Marks = Mapping[str, Mapping[str, Any]]

_MOST_NAMED = 100
_PLAIN = frozenset({"last", "rank", "attempt", "sealed", "parent"})


class Marked:
    """The marks of a job's ledger, by attempt and by parent."""

    def __init__(self, producers: Marks) -> None:
        self._producers = producers
        self._attempts: dict[int, list[str]] = {}
        for name, mark in producers.items():
            self._attempts.setdefault(mark["attempt"], []).append(name)

    def completeness(self, attempt: int) -> Completeness:
        """Judge over the producers of an attempt.

        What is missing for good comes first, then what was given up or nobody has counted. Without
        all that it is complete when every producer, and every child process that one of them says
        it had, has ended, which its own count of events or the record of its death tells.
        """
        of_attempt = self._attempts.get(attempt, ())
        mine = sorted(name for name in of_attempt if not _is_whole(self._producers[name]))
        missing: dict[str, list[tuple[int, int]]] = {}
        shed: dict[str, int] = {}
        is_uncounted = False
        for name in mine:
            mark = self._producers[name]
            ranges = _missing(mark)
            if ranges:
                missing[name] = ranges
            for kind, count in mark.get("shed", {}).items():
                shed[kind] = shed.get(kind, 0) + count
            is_uncounted |= _is_uncounted(mark)
        waiting, count = self._waiting(mine)
        if missing:
            status = CompletenessStatus.INCOMPLETE
        elif shed or is_uncounted:
            status = CompletenessStatus.SHED
        else:
            status = CompletenessStatus.OPEN if count else CompletenessStatus.COMPLETE
        lost = sum(b - a + 1 for ranges in missing.values() for a, b in ranges)
        lost += sum(self._producers[name].get("unlisted", (0, 0))[1] for name in missing)
        return Completeness(status, missing, shed, is_uncounted, waiting[:_MOST_NAMED], count, lost)

    def _waiting(self, mine: list[str]) -> tuple[list[str], int]:
        """Return who has not ended, and how many that are with those who are only counted."""
        waiting = {name for name in mine if "sealed" not in self._producers[name]}
        unnamed = 0
        for name in mine:
            mark = self._producers[name]
            announced = set(mark.get("children", ()))
            waiting |= {one for one in announced if "sealed" not in self._producers.get(one, ())}
            if "child_count" in mark:
                known = announced.union(*(self._children.get(one, ()) for one in self._names(name)))
                unnamed += max(0, mark["child_count"] - len(known))
        return sorted(waiting), len(waiting) + unnamed

    @cached_property
    def _children(self) -> dict[str, set[str]]:
        children: dict[str, set[str]] = {}
        for name, mark in self._producers.items():
            if "parent" in mark:
                children.setdefault(mark["parent"], set()).add(name)
        return children

    def _names(self, name: str) -> list[str]:
        """Return the names of a process, the latest first: its children may know it by each."""
        names = [name]
        while (before := self._producers.get(names[-1], {}).get("of", name)) not in names:
            names.append(before)
        return names


def _is_whole(mark: Mapping[str, Any]) -> bool:
    """Tell whether a producer has ended, and all of it is there: so have most of very many."""
    return mark.keys() <= _PLAIN and mark.get("sealed") == mark["last"] + 1


def _missing(mark: Mapping[str, Any]) -> list[tuple[int, int]]:
    following, sealed = mark["last"] + 1, mark.get("sealed")
    ranges = [(first, last) for first, last in mark.get("missing", ())]
    if sealed is not None and sealed > following:
        ranges.append((following, sealed - 1))
    return ranges


def _is_uncounted(mark: Mapping[str, Any]) -> bool:
    number = mark.get("uncounted")
    return number is not None and number <= mark.get("left", number)
