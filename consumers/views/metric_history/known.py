"""Which metrics a job has, as far as they are shown: the first so many names, each under its step.

A fold must know them to tell what is new, and a name has up to 512 characters: so of each it keeps
48 bits of a hash. That two of some thousand names share them will not happen, and if it did, one
more than counted would be shown.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import blake2b
from typing import TYPE_CHECKING

import orjson

from synapse_stream.events.quotas import MOST_METRICS
from synapse_stream.ports.views.quotas import Quota, nearly_used

if TYPE_CHECKING:
    from collections.abc import Sequence

_BYTES, _CHARACTERS = 6, 8  # without a rest in base64, so that what is new can be added


def quotas_of(document: bytes) -> tuple[Quota, ...]:
    """Return the quotas that a fold's document has nearly used up.

    None of one of another version, or that is damaged: it is folded anew.
    """
    try:
        view = orjson.loads(document)["view"]
        used, left_out = len(view["digests"]) // _CHARACTERS, int(view["left_out"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return ()
    return nearly_used(Quota("metrics", used, MOST_METRICS, left_out))


class KnownMetrics:
    """Metrics in the order in which they came."""

    def __init__(self, text: str) -> None:
        """Go on from a text that has grown by what `news` returned."""
        digests = b64decode(text)
        self._digests = {digests[i : i + _BYTES] for i in range(0, len(digests), _BYTES)}
        self._new: list[bytes] = []

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._digests)

    def admit(self, step: str | None, names: Sequence[str]) -> list[bool]:
        """Tell of each name whether it is shown; those that are new are known from now on."""
        return [self._admit(step, name) for name in names]

    def news(self) -> str:
        """Return those that have come since the last call, as JSON can carry them."""
        new, self._new = self._new, []
        return b64encode(b"".join(new)).decode()

    def _admit(self, step: str | None, name: str) -> bool:
        content = f"{step or ''}\0{name}".encode(errors="surrogatepass")
        digest = blake2b(content, digest_size=_BYTES).digest()
        if digest in self._digests:
            return True
        if len(self._digests) >= MOST_METRICS:
            return False
        self._digests.add(digest)
        self._new.append(digest)
        return True
