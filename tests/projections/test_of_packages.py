"""Whatever a view of another package does, it costs its own events only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import orjson
import pytest

from consumers.folding.fold import JobFold
from consumers.views.of_packages.guarded import guarded
from synapse_stream import JobView
from synapse_stream.testing.views import Given, given, message, metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream import Delivery

ODD = "odd"


class Counting(JobView):
    """Counts messages; at those that say `odd` it does something odd."""

    name: ClassVar[str] = "counting"
    version: ClassVar[int] = 1

    def begin(self) -> dict[str, Any]:
        return {"count": 0}

    def apply(self, delivery: Delivery) -> None:
        for event in delivery.events:
            self.state["count"] += 1
            if event.get("content") == ODD:
                self.do(event)

    def do(self, event: dict[str, Any]) -> None:
        """Do it."""


class Seen(NamedTuple):
    content: str
    size: float | None


class Listing(Counting):
    """Lists what it sees."""

    row = Seen

    def do(self, event: dict[str, Any]) -> None:
        self.rows.append(tuple(event["row"]))  # in JSON it is a list


class Boom(BaseException):
    """What no `except Exception` catches."""

    def __str__(self) -> str:
        raise ValueError


def odd(act: Callable[[Counting, dict[str, Any]], Any]) -> type[Counting]:
    return type("Odd", (Counting,), {"do": act})


def raising(error: BaseException) -> Callable[[Counting, dict[str, Any]], None]:
    def act(view: Counting, event: dict[str, Any]) -> Any:
        raise error

    return act


def setting(value: Any) -> Callable[[Counting, dict[str, Any]], None]:
    return lambda view, _event: view.state.update(odd=value)


def becoming(value: Any) -> Callable[[Counting, dict[str, Any]], None]:
    def act(view: Counting, _event: dict[str, Any]) -> None:
        view.state = value

    return act


def endless(view: Counting, _event: dict[str, Any]) -> None:
    view.state["self"] = view.state


DEEDS: dict[str, tuple[Callable[[Counting, dict[str, Any]], Any], str]] = {
    "raises": (raising(ValueError("no")), "ValueError: no"),
    "exits": (raising(SystemExit(3)), "SystemExit: 3"),
    "raises no Exception": (raising(Boom()), "Boom"),
    "recurses": (lambda view, event: view.do(event), "RecursionError: maximum recursion"),
    "keeps a set": (setting({1}), "its state is not JSON: Type is not JSON serializable: set"),
    "keeps a time": (setting(datetime(2026, 1, 1, tzinfo=UTC)), "datetime.datetime(2026"),
    "keeps a tuple": (setting([{"at": (1, 2)}]), "(1, 2) at state['odd'][0]['at']"),
    "keeps NaN": (setting(float("nan")), "nan at state['odd']"),
    "has keys that are numbers": (setting({1: 2}), "Dict key must be str"),
    "keeps itself": (endless, "its state is not JSON: Recursion limit reached"),
    "has no state": (becoming(None), "its state is NoneType; a state is a dict"),
    "is too large": (setting("x" * 2**24), "expected at most 16777216: list things as rows"),
    "gives a row": (lambda view, _: view.rows.append(1), "it has given a row, but declares none"),
    "breaks its rows": (lambda view, _: setattr(view, "rows", None), "TypeError"),
}


def fold(view: type[JobView], scene: Given) -> tuple[Any, list[tuple[int, str]]]:
    """Return the view's state, and what was refused, by index in its entry."""
    job = JobFold(guarded(view), "job-1", None)
    parked = [one for entry in scene.entries for one in job.apply(entry)]
    state = orjson.loads(job.document())["view"]["state"]
    return state, [(one.position.index, one.reason) for one in parked]


@pytest.mark.parametrize("deed", DEEDS)
def test_an_event_at_which_it_fails_is_parked_and_changes_nothing(deed: str) -> None:
    act, reason = DEEDS[deed]
    scene = given(message("a"), message(ODD), message("b")).says(message("c"))

    state, refused = fold(odd(act), scene)

    assert state == {"count": 3}
    assert [index for index, _ in refused] == [1]
    assert reason in refused[0][1]
    assert len(refused[0][1]) <= 500


class Helpless(Counting):
    """Cannot begin."""

    def begin(self) -> dict[str, Any]:
        raise ZeroDivisionError


def test_a_view_that_cannot_begin_parks_all_events() -> None:
    state, refused = fold(Helpless, given(message("a"), message("b")))

    assert state is None
    assert refused == [(index, "ZeroDivisionError: ") for index in range(2)]


def test_an_event_that_was_parked_is_folded_when_the_view_was_mended() -> None:
    class Moody(Listing):
        """Fails until it is mended."""

        is_mended: ClassVar[bool] = False

        def do(self, event: dict[str, Any]) -> None:
            if not self.is_mended:
                raise ValueError
            super().do(event)

    job = JobFold(guarded(Moody), "job-1", None)
    scene = given(message(ODD, row=("x", 1.0)), message("b"))
    (parked,) = [one for entry in scene.entries for one in job.apply(entry)]

    assert job.retry(parked) == "ValueError: "
    Moody.is_mended = True
    assert job.retry(parked) is None
    assert orjson.loads(job.document())["view"]["state"] == {"count": 2}
    assert [row.values for row in job.rows()] == [("x", 1.0)]


def test_what_it_does_to_its_events_nobody_sees_nor_it_itself_the_second_time() -> None:
    def spoil(view: Counting, event: dict[str, Any]) -> None:
        del event["content"]
        raise ValueError

    class Taking(Counting):
        """Empties what it is given, and only then fails."""

        def apply(self, delivery: Delivery) -> None:
            texts = [event.pop("content") for event in delivery.events]
            delivery.events.clear()
            if ODD in texts:
                raise ValueError(texts)
            self.state["count"] += len(texts)

    scene = given(message("a"), message(ODD), message("b"))
    before = [entry.batch for entry in scene.entries]

    assert fold(odd(spoil), scene) == ({"count": 2}, [(1, "ValueError: ")])
    assert fold(Taking, scene) == ({"count": 2}, [(1, f"ValueError: ['{ODD}']")])
    assert [entry.batch for entry in scene.entries] == before


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("a", 1.5), None),
        (("a", 2), None),
        (("a", None), None),
        (("a",), "row=('a',) is not allowed; expected a tuple of 2 values"),
        ((None, 1.0), "content=None is not allowed; expected str"),
        (("a", True), "size=True is not allowed; expected a finite float or None"),
        (("a", "1"), "size='1' is not allowed; expected a finite float or None"),
    ],
)
def test_rows_are_what_was_declared(row: tuple[Any, ...], reason: str | None) -> None:
    seen = given(message(ODD, row=row)).seen_by(Listing)

    assert [one.reason for one in seen.refused] == ([] if reason is None else [reason])
    assert seen.rows == ([row] if reason is None else [])


def test_a_trial_tells_of_a_view_that_depends_on_how_events_are_cut() -> None:
    class ByBatch(Counting):
        """Counts deliveries, which nobody promises."""

        def apply(self, delivery: Delivery) -> None:
            self.state["count"] += 1

    class Beside(Counting):
        """Keeps something beside its state."""

        last: Any = None

        def apply(self, delivery: Delivery) -> None:
            for event in delivery.events:
                self.state["count"] += self.last == event["type"]
                self.last = event["type"]

    for view, difference in ((ByBatch, "count 1, event by event 4"), (Beside, "3, .* 0")):
        with pytest.raises(AssertionError, match=rf"{view.__name__} depends on how .*{difference}"):
            given(metrics({}), metrics({}), metrics({}), metrics({})).seen_by(view)


def test_a_view_of_one_event_after_another_has_what_one_of_all_at_once_has() -> None:
    seen = given(message("a"), message(ODD, row=("x", 1.0))).seen_by(Listing)

    assert (seen.state, seen.rows, seen.refused) == ({"count": 2}, [("x", 1.0)], [])
    assert given().seen_by(Counting).state == {"count": 0}
