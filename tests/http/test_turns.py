"""Whose request begins next, and whose connection has to go."""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from consumers.api import crowd
from consumers.api.crowd import Crowd
from consumers.api.turns import AT_ONCE, Turns

if TYPE_CHECKING:
    import pytest


def test_who_sends_much_keeps_nobody_waiting() -> None:
    async def story() -> None:
        turns, begun = Turns(), list[str]()
        for number in range(1_000):
            turns.take("much", partial(begun.append, f"much {number}"))
        turns.take("little", partial(begun.append, "little"))
        seen = [len(begun)]
        while len(begun) < 1_001:
            await asyncio.sleep(0)
            seen.append(len(begun))
        turns.take("late", partial(begun.append, "late"))
        await asyncio.sleep(0)

        assert begun.index("little") <= 1 + AT_ONCE
        assert max(after - before for before, after in pairwise(seen)) <= AT_ONCE
        much = [one for one in begun if one.startswith("much")]
        assert much == [f"much {number}" for number in range(1_000)]
        assert begun[-1] == "late"

    asyncio.run(story())


class Connected:
    def __init__(self) -> None:
        self.has_left = self.was_cut = False

    def leave(self) -> None:
        self.has_left = True

    def cut(self) -> None:
        self.was_cut = True


def test_of_many_that_read_nothing_the_one_goes_that_did_not_for_longest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crowd, "_MOST_STALLED", 3)
    here, readers = Crowd(100), [Connected() for _ in range(6)]
    for reader in readers:
        here.enter(reader)
    for reader in readers[:4]:
        here.stall(reader)  # one more than may, but none of them for long
    assert not any(reader.was_cut for reader in readers)

    monkeypatch.setattr(crowd, "_LEAST_STALL_SECONDS", 0.0)
    here.flow(readers[0])
    here.stall(readers[4])
    here.stall(readers[5])

    assert [reader.was_cut for reader in readers] == [False, True, True, False, False, False]
    assert not any(reader.has_left for reader in readers)
