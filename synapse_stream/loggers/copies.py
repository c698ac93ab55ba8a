"""Copies of loggers and contexts: what `pickle`, `copy` and cloudpickle make of them.

In the process of the original a copy is the original. In another one it is a child that reports to
the same run, and all copies of one original are one object there. Parts that cannot be pickled are
left out, with one line that names them.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections import OrderedDict
from typing import Any, Self

from synapse_stream.saying import voice

_MOST_KEPT = 16  # of a worker that serves one run after the other
_CLOUDS = ("cloudpickle", "joblib.externals.cloudpickle", "ray.cloudpickle")

_originals: weakref.WeakValueDictionary[str, Copied] = weakref.WeakValueDictionary()
_kept: OrderedDict[str, Copied] = OrderedDict()  # else each task of a worker would begin anew


class Copied:
    """Can be copied in the way of this module; a subclass says what of it goes along."""

    _copy_id: str | None = None

    def to_copy(self) -> tuple[type[Any], dict[str, Any]]:
        """Return the class of a copy in another process, and what its `become_copy` needs."""
        raise NotImplementedError

    def become_copy(self, parts: dict[str, Any]) -> None:
        """Fill the new object in the other process, instead of `__init__`."""
        raise NotImplementedError

    def leave_kept(self) -> None:
        """Free what a copy holds that was not used for long; it may still be used."""

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if self._copy_id is None:
            self._copy_id = os.urandom(8).hex()
        _originals[self._copy_id] = self
        return _revive, (self._copy_id, *self.to_copy())


def packed(parts: dict[str, Any], whose: str) -> dict[str, bytes]:
    """Pickle each of the parts for itself; what cannot be is left out and said."""
    found: dict[str, bytes] = {}
    for name, part in parts.items():
        try:
            found[name] = _dumps(part)
        except Exception as error:  # noqa: BLE001 - pickling runs code of anybody
            voice.warn(
                "%s: its %s cannot be pickled and is not there in the copy: %s: %s",
                *(whose, name, type(error).__name__, error),
            )
    return found


def unpacked(parts: dict[str, bytes], whose: str) -> dict[str, Any]:
    """Return what `packed` took in; what cannot be unpickled here is left out and said."""
    from pickle import loads  # noqa: PLC0415 - of copies only

    found: dict[str, Any] = {}
    for name, part in parts.items():
        try:
            found[name] = loads(part)  # noqa: S301 - within what is being unpickled anyway
        except Exception as error:  # noqa: BLE001 - as in `packed`
            voice.warn(
                "%s: its %s cannot be unpickled here and is not there: %s: %s",
                *(whose, name, type(error).__name__, error),
            )
    return found


def _revive(copy_id: str, kind: type[Copied], parts: dict[str, Any]) -> Copied:
    found = _originals.get(copy_id)
    if found is None:
        found = kind.__new__(kind)
        found.become_copy(parts)
        found._copy_id = copy_id  # noqa: SLF001 - of the class above
        _originals[copy_id] = _kept[copy_id] = found
    if copy_id in _kept:
        _kept.move_to_end(copy_id)
    if len(_kept) > _MOST_KEPT:
        _, oldest = _kept.popitem(last=False)
        oldest.leave_kept()
    return found


def _dumps(part: Any) -> bytes:
    """Pickle by value what can be, where the process has loaded a library for it."""
    for name in _CLOUDS:
        dumps = getattr(sys.modules.get(name), "dumps", None)
        if dumps is not None:
            return bytes(dumps(part))
    from pickle import dumps as dumps_plainly  # noqa: PLC0415 - of copies only

    return dumps_plainly(part)
