"""Where producers belong: whose child a process is, and who goes on under another name.

What one producer says about another may be folded before the other is met: then its attempt is
taken over when that one shows up.
"""

from __future__ import annotations

from typing import Any, TypeGuard

LARGEST_NUMBER = 2**53
"""What the append script can count to."""
PLACING = ("run_started", "joined", "resumed")
"""Types of events that say where a producer belongs; the last two as its first event only."""
LONGEST_PRODUCER = 200

_LARGEST_RANK = _LARGEST_ATTEMPT = 1_000_000

Mark = dict[str, Any]


class Lineage:
    """Gives the marks of a ledger their ranks and attempts."""

    def __init__(self, document: dict[str, Any]) -> None:
        """Work on the document of a ledger."""
        self._marks: dict[str, Mark] = document["producers"]
        self._starts: dict[str, int] = document["starts"]
        self._awaited: dict[str, list[str]] = document["awaited"]

    def meet(self, producer: str) -> Mark:
        """Return the mark of a producer that is met for the first time."""
        mark = self._marks.setdefault(producer, {"last": -1, "rank": None, "attempt": 1})
        mark["attempt"] = self._starts.get("0", 1)
        return mark

    def place(self, producer: str, mark: Mark, event: dict[str, Any], number: int) -> None:
        """Note what the event says about where its producer belongs."""
        if event["type"] == "run_started":
            self._start(mark, event, number)
        elif event["type"] == "joined":
            self._join(producer, mark, event)
        else:
            self._resume(producer, mark, event)
        self.settle(producer)

    def _start(self, mark: Mark, event: dict[str, Any], number: int) -> None:
        rank = whole(event.get("rank"), _LARGEST_RANK) or 0
        same = self._same_process(mark, number)
        if same is not None and same["rank"] == rank:
            mark["rank"], mark["attempt"] = rank, same["attempt"]
            return
        latest = self._starts.get(str(rank), 0)
        attempt = whole(event.get("attempt"), _LARGEST_ATTEMPT) or latest + 1
        self._starts[str(rank)] = max(latest, attempt)
        mark["rank"], mark["attempt"] = rank, attempt
        mark.pop("awaits", None)

    def _same_process(self, mark: Mark, number: int) -> Mark | None:
        """Return the mark under which a process that starts has started already; None for none.

        What it had not sent yet it sends again under its new name, and whoever took the old one may
        have sent it as well.
        """
        if "of" in mark and "awaits" not in mark:
            return self._marks[mark["of"]]
        is_foreign = "heir" in mark and number > mark["left"]
        return self._marks[mark["heir"]] if is_foreign else None

    def _join(self, producer: str, mark: Mark, event: dict[str, Any]) -> None:
        parent = event.get("parent")
        if is_name(parent) and parent != producer:
            mark["parent"] = parent
            self._follow(producer, mark, parent)

    def _resume(self, producer: str, mark: Mark, event: dict[str, Any]) -> None:
        name, last = event.get("producer"), event.get("last")
        if not is_name(name) or name == producer or type(last) is not int or last < -1:
            return
        if name not in self._marks:
            self.meet(name)["rank"] = whole(event.get("rank"), _LARGEST_RANK)
        old = self._marks[name]
        old["left"] = min(last, old.get("left", last))
        old["heir"], old["sealed"] = producer, old["left"] + 1
        for said in ("children", "child_count"):  # at an end that was not its own
            old.pop(said, None)
        ranges = [[a, min(b, old["left"])] for a, b in old.pop("missing", ()) if a <= old["left"]]
        if ranges:
            old["missing"] = ranges
        if "unlisted" in old and old["unlisted"][0] > old["left"]:
            del old["unlisted"]
        mark["of"], mark["rank"] = name, old["rank"]
        self._follow(producer, mark, name)

    def _follow(self, producer: str, mark: Mark, name: str) -> None:
        """Take the attempt of the producer `name`, now or when it is known."""
        other = self._marks.get(name)
        if other is None or other["last"] < 0 or "awaits" in other:
            mark["awaits"] = True
            self._awaited.setdefault(name, []).append(producer)
        if other is not None:
            mark["attempt"] = other["attempt"]

    def settle(self, producer: str) -> None:
        """Have all that await a producer take its attempt, and those that go on for it its rank."""
        if producer not in self._awaited or "awaits" in self._marks[producer]:
            return
        known = [producer]
        while known:
            name = known.pop()
            mark = self._marks[name]
            for follower in self._awaited.pop(name, ()):
                other = self._marks[follower]
                if other.pop("awaits", False):
                    other["attempt"] = mark["attempt"]
                    if other.get("of") == name:
                        other["rank"] = mark["rank"]
                    known.append(follower)


def is_name(value: Any) -> TypeGuard[str]:
    """Tell whether a value may be the id of a producer."""
    return isinstance(value, str) and len(value) <= LONGEST_PRODUCER


def whole(value: Any, largest: int) -> int | None:
    """Return an integer from 0 to `largest` as it is, None for anything else."""
    return value if type(value) is int and 0 <= value <= largest else None
