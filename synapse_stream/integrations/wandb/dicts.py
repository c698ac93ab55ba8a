"""A run's config and summary: mappings whose items are attributes, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Items(MutableMapping[str, Any]):
    """Tells of every change that is made from outside.

    Args:
        tell: is called with what was changed.
    """

    def __init__(self, tell: Callable[[dict[str, Any]], object]) -> None:
        vars(self).update(_items={}, _tell=tell)

    def fill(self, values: Any) -> None:
        """Take values, and tell nobody."""
        self._items.update(_items_of(values))

    def update(self, values: Any = (), /, *_: Any, **more: Any) -> None:
        """Take several values; W&B's option `allow_val_change` is its own affair."""
        more.pop("allow_val_change", None)
        changed = {**_items_of(values), **more}
        self._items.update(changed)
        self._tell(changed)

    def setdefaults(self, values: Any) -> None:
        """Take those that are not there yet."""
        self.update({name: value for name, value in _items_of(values).items() if name not in self})

    def as_dict(self) -> dict[str, Any]:
        """Return a copy."""
        return dict(self._items)

    def __getitem__(self, name: str) -> Any:
        return self._items[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __delitem__(self, name: str) -> None:
        del self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __getattr__(self, name: str) -> Any:
        try:
            return vars(self)["_items"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


def _items_of(values: Any) -> dict[str, Any]:
    """Return what may be a mapping, pairs, or a namespace as of argparse."""
    if isinstance(values, Mapping):
        return dict(values)
    return dict(vars(values)) if hasattr(values, "__dict__") else dict(values or ())
