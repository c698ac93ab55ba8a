"""One form of a view's content, whatever batches, chunks and database it went through.

What a store holds and what a fresh fold of the stream gives are compared in this form, byte for
byte. A server that lost its tail gets the same events again under other ids, and ranks in another order:
then only what does not depend on ids can be equal, which is what `positions=False` leaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from consumers.packing import to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from consumers.fold import JobFold
    from consumers.projections.base import MessageRow, Points
    from synapse_stream.views import SeriesKey

_OF_ENTRIES = ("ms", "seq", "line", "number")
