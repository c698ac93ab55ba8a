"""Where an adopter looks: at home, and in shared memory that nobody else may look after.

A data directory may be gone, and what its runs had in memory is left; a child of a run may have
become another user, whose memory is elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from synapse_stream.producer.adoption.memory import Memory
from synapse_stream.producer.adoption.search import Pair, all_pairs, names_in, own_pair
from synapse_stream.producer.spool.children import children
from synapse_stream.producer.spool.roots import forget_root, is_folder, is_of_this_user, roots_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from synapse_stream.producer.adoption.case import Case
    from synapse_stream.settings import Settings


class Ground(NamedTuple):
    """Roots of spools, and what was seen there."""

    pair: Pair
    memory: Memory
    is_own: bool
    """False: what is there belongs to runs of other settings, unless it says otherwise."""


class Grounds:
    """The grounds of one adopter."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._memory = Memory(settings)
        self._beside: dict[Path, Memory] = {}
        self._strays: set[str] = set()

    def own(self) -> Ground:
        """Return the roots of the settings."""
        return Ground(own_pair(self._settings), self._memory, is_own=True)

    def of(self, name: str) -> Ground | None:
        """Return where one of our producers is: at home, or in memory of whoever it has become."""
        own = self.own()
        if any(is_folder(root / name) for root in own.pair.named().values()):
            return own
        for root in roots_in(self._settings.memory_dir):
            if is_folder(root / name):
                return Ground(Pair(root, None), Memory(self._settings), is_own=True)
        return None

    def everywhere(self) -> Iterator[tuple[Ground, list[str]]]:
        """Yield all other roots that can be found, with all that is there."""
        own = own_pair(self._settings)
        for pair in all_pairs(self._settings):
            if pair != own:
                names = {name for root in pair.named().values() for name in names_in(root)}
                yield Ground(pair, self._memory, is_own=False), sorted(names)

    def beside(self) -> Iterator[tuple[Ground, list[str]]]:
        """Yield the other roots in shared memory, with what is to be looked at there now.

        Of other users' only the children that our runs have named: else anybody could have us send
        what he made up.
        """
        own = self.own().pair.hot
        roots = [root for root in roots_in(self._settings.memory_dir) if root != own]
        self._beside = {root: self._beside.get(root, Memory(self._settings)) for root in roots}
        for root, memory in self._beside.items():
            is_mine = is_of_this_user(root)
            if is_mine or self._strays:
                pair = Pair(root, None)
                names = memory.due(pair, lambda _: [])
                chosen = names if is_mine else [name for name in names if name in self._strays]
                yield Ground(pair, memory, is_own=not is_mine), chosen
                forget_root(root)

    def note_strays(self, case: Case) -> bool:
        """Remember the children of a spool that are elsewhere; False when it has none."""
        homes = [home.anchor for home in case.homes.values()]
        found = {child.producer for child in children(homes) if child.is_far and child.producer}
        self._strays |= found
        return bool(found)
