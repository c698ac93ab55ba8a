"""What a plugin under test tells the outside about its calls, so that SIGKILL cannot unsay it.

A small shared file, mapped by the plugin and by the scenario: for each voice how many calls have
begun and how many have returned, and two flags. Each is one machine word, so it is seen whole.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

_VOICES = 64
_SIZE = 8 * (2 + 2 * _VOICES)
_STOP, _ENDING = 0, 1


class Witness:
    """Counters of up to 64 voices."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._words = memoryview(mmap.mmap(file.fileno(), _SIZE)).cast("q")

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make the file; all counters are 0."""
        path.write_bytes(bytes(_SIZE))
        return cls(path)

    def begin(self, voice: int, number: int) -> None:
        """Note that the call `number` of a voice is about to be made."""
        self._words[2 + 2 * voice] = number + 1

    def finish(self, voice: int, number: int) -> None:
        """Note that it has returned."""
        self._words[3 + 2 * voice] = number + 1

    def begun(self, voice: int) -> int:
        """Return how many calls of a voice have begun."""
        return self._words[2 + 2 * voice]

    def returned(self, voice: int) -> int:
        """Return how many have returned."""
        return self._words[3 + 2 * voice]

    @property
    def total(self) -> int:
        """How many calls have returned, of all voices."""
        return sum(map(self.returned, range(_VOICES)))

    @property
    def is_stopping(self) -> bool:
        """Whether the plugin is asked to end its run."""
        return self._words[_STOP] != 0

    def stop(self) -> None:
        """Ask the plugin to end its run."""
        self._words[_STOP] = 1

    @property
    def is_ending(self) -> bool:
        """Whether the plugin is about to end its run."""
        return self._words[_ENDING] != 0

    def end(self) -> None:
        """Note that the plugin is about to end its run."""
        self._words[_ENDING] = 1
