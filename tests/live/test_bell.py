"""Waking many keeps nobody else waiting, and nobody is left out or woken for nothing."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from consumers.api.live.bell import AT_ONCE, Bell


def test_many_are_woken_some_at_a_time_and_others_are_served_between_them() -> None:
    async def story() -> None:
        bell, woken = Bell(), [0]

        async def wait() -> None:
            await bell.wait()
            woken[0] += 1

        waiting = [asyncio.create_task(wait()) for _ in range(10 * AT_ONCE)]
        await asyncio.sleep(0)
        waiting[1].cancel()
        await asyncio.sleep(0)
        bell.ring()
        seen = [0]
        while not all(task.done() for task in waiting):
            await asyncio.sleep(0)
            seen.append(woken[0])

        assert max(after - before for before, after in pairwise(seen)) <= AT_ONCE
        assert woken == [10 * AT_ONCE - 1]

    asyncio.run(story())


def test_who_waits_anew_is_woken_by_the_next_change_only() -> None:
    async def story() -> None:
        bell, woken = Bell(), [0]

        async def follow() -> None:
            while True:
                await bell.wait()
                woken[0] += 1

        followers = [asyncio.create_task(follow()) for _ in range(3 * AT_ONCE)]
        await asyncio.sleep(0)
        for rings in (1, 2):
            bell.ring()
            bell.ring()  # those that wait still hear both at once
            for _ in range(20):
                await asyncio.sleep(0)
            assert woken == [rings * 3 * AT_ONCE]
        for follower in followers:
            follower.cancel()

    asyncio.run(story())
