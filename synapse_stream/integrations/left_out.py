"""What a bridge does not take is said, once a name, and hinders nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from synapse_stream.saying import voice

if TYPE_CHECKING:
    from collections.abc import Iterator


class LeftOut:
    """Knows what was said of a library."""

    def __init__(self, library: str, advice: str) -> None:
        self._library = library
        self._advice = advice
        self._said: set[str] = set()

    def note(self, name: str) -> Nothing:
        """Say that `name` does nothing here, and return what stands for its result."""
        if name not in self._said:
            self._said.add(name)
            voice.warn("%s.%s does nothing here: %s", self._library, name, self._advice)
        return Nothing()


class Nothing:
    """Takes every call, has every attribute, and holds nothing."""

    def __call__(self, *_: Any, **__: Any) -> Nothing:
        """Take it."""
        return self

    def __getattr__(self, name: str) -> Nothing:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave it."""

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __bool__(self) -> bool:
        return False

    def __len__(self) -> int:
        return 0
