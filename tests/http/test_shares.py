from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from consumers.api.problems import Problem
from consumers.api.shares import Lane, Seats, Shared, Shares

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Message, Receive, Scope, Send


class Work:
    """Questions that are worked on until they are let go; the order in which they were begun."""

    def __init__(self, lane: Lane) -> None:
        self.begun: list[str] = []
        self.most_at_once = 0
        self._lane = lane
        self._at_once = 0
        self._go = asyncio.Event()

    async def ask(self, client: str) -> None:
        async with self._lane.place(client):
            self.begun.append(client)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            await self._go.wait()
            await asyncio.sleep(0)
            self._at_once -= 1

    def go(self) -> None:
        self._go.set()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await story()

    asyncio.run(main())


def test_who_asks_little_does_not_wait_behind_who_asks_much() -> None:
    async def story() -> None:
        work = Work(Lane(3))
        async with asyncio.TaskGroup() as group:
            for _ in range(50):
                group.create_task(work.ask("much"))
            await settled()
            group.create_task(work.ask("little"))
            await settled()
            assert work.begun == ["much", "much", "little"]
            work.go()
        assert work.most_at_once == 3
        assert len(work.begun) == 51

    run(story)


def test_clients_take_turns() -> None:
    async def story() -> None:
        work = Work(Lane(1))
        async with asyncio.TaskGroup() as group:
            for client in ("a", "a", "a", "a", "b", "b", "c"):
                group.create_task(work.ask(client))
            await settled()
            work.go()
        assert work.begun == ["a", "a", "b", "c", "a", "b", "a"]

    run(story)


def test_too_many_questions_of_one_client_are_refused_and_those_of_others_not() -> None:
    async def story() -> None:
        work = Work(Lane(2, most_waiting=5))
        async with asyncio.TaskGroup() as group:
            for _ in range(6):
                group.create_task(work.ask("much"))
            await settled()
            with pytest.raises(Problem) as refused:
                await work.ask("much")
            group.create_task(work.ask("other"))
            await settled()
            work.go()
        assert (refused.value.status, refused.value.allowed) == (429, {"waiting": 5})
        assert refused.value.headers is not None
        assert work.begun.count("other") == 1

    run(story)


def test_who_leaves_takes_no_place_with_him() -> None:
    async def story() -> None:
        lane = Lane(1)
        work = Work(lane)
        tasks = [asyncio.create_task(work.ask(name)) for name in ("a", "b", "c", "a")]
        await settled()
        tasks[0].cancel()  # b is given the place, and leaves in the same moment
        await asyncio.sleep(0)
        tasks[1].cancel()
        tasks[3].cancel()
        await settled()
        work.go()
        await asyncio.wait(tasks)
        async with lane.place("d"):
            pass
        assert [task.cancelled() for task in tasks] == [True, True, False, True]
        hasty = Lane(1, seconds=0.01)
        async with hasty.place("e"):
            with pytest.raises(Problem) as late:
                await hasty.place("f").__aenter__()
        assert late.value.status == 503
        async with hasty.place("g"):
            pass

    run(story)


def test_the_next_part_of_an_answer_that_has_begun_is_waited_for_in_any_case() -> None:
    async def story() -> None:
        lane = Lane(1, most_waiting=1, seconds=0.0)
        work = Work(lane)

        async def go_on() -> None:
            async with lane.place("much", has_begun=True):
                work.begun.append("a part")

        async with asyncio.TaskGroup() as group:
            group.create_task(work.ask("other"))
            await settled()
            for _ in range(5):
                group.create_task(go_on())
            await settled()
            with pytest.raises(Problem):
                await work.ask("much")
            work.go()
        assert work.begun == ["other", *["a part"] * 5]

    run(story)


@pytest.mark.parametrize(
    ("path", "most", "of_one"),
    [
        ("/metrics", 2, 1),
        ("/readyz", 2, 1),
        ("/api/jobs/j/metrics", 3, 2),
        ("/api/jobs", 8, 7),
        ("/healthz", 20, 20),
    ],
)
def test_so_many_questions_of_a_kind_are_worked_on_at_once(
    path: str, most: int, of_one: int
) -> None:
    asked: list[str] = []
    go = asyncio.Event()

    async def answer(scope: Scope, _receive: Receive, _send: Send) -> None:
        asked.append(scope["client"][0])
        await go.wait()

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        pass

    async def story() -> None:
        shared = Shared(answer, Shares())
        state = {"caller": None}
        of = {"type": "http", "path": path, "query_string": b"", "state": state}
        async with asyncio.TaskGroup() as group:
            for client in ["much"] * 10 + ["other"] * 10:
                group.create_task(shared({**of, "client": (client, 1)}, receive, send))
            await settled()
            assert len(asked) == most
            assert asked.count("much") == min(of_one, 10)
            go.set()
        assert len(asked) == 20

    run(story)


def test_one_client_gets_half_of_the_seats() -> None:
    seats = Seats(4)
    with ExitStack() as taken:
        for _ in range(2):
            taken.enter_context(seats.seat("much"))
        with pytest.raises(Problem) as mine, seats.seat("much"):
            pass
        for client in "ab":
            taken.enter_context(seats.seat(client))
        with pytest.raises(Problem) as full, seats.seat("c"):
            pass
        assert (mine.value.status, full.value.status) == (429, 503)
        assert mine.value.allowed == {"open": 2}
    with seats.seat("much"), seats.seat("c"):
        pass
