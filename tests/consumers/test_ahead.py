"""Making the next thing while one is worked on."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from consumers.projector.ahead import ahead

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_SECONDS = 60.0


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_all_come_in_order(executor: ThreadPoolExecutor, count: int) -> None:
    assert list(ahead(iter(range(count)), executor)) == list(range(count))


def test_the_next_is_made_while_one_is_worked_on(executor: ThreadPoolExecutor) -> None:
    making_second = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        making_second.set()
        yield 2

    found = ahead(items(), executor)
    assert next(found) == 1
    assert making_second.wait(PATIENCE_SECONDS)
    assert list(found) == [2]


def test_no_more_than_one_is_made_ahead(executor: ThreadPoolExecutor) -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(5):
            made.append(number)
            yield number

    for number in ahead(items(), executor):
        assert len(made) <= number + 2
    assert made == list(range(5))


def test_what_making_raises_comes_in_its_place(executor: ThreadPoolExecutor) -> None:
    def items() -> Iterator[int]:
        yield 1
        msg = "the second"
        raise OSError(msg)

    found = ahead(items(), executor)
    assert next(found) == 1
    with pytest.raises(OSError, match="the second"):
        next(found)


def test_closing_waits_for_what_is_being_made(executor: ThreadPoolExecutor) -> None:
    began, go_on = threading.Event(), threading.Event()
    ended: list[str] = []

    def items() -> Iterator[int]:
        yield 1
        began.set()
        assert go_on.wait(PATIENCE_SECONDS)
        ended.append("second")
        yield 2
        ended.append("third")

    found = ahead(items(), executor)
    assert next(found) == 1
    assert began.wait(PATIENCE_SECONDS)
    threading.Timer(0.05, go_on.set).start()
    found.close()
    assert ended == ["second"]
