"""Time for folds that take as long as they like: those of other packages."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import TYPE_CHECKING

from consumers.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from consumers.store.lease import Lease
    from consumers.store.leases import Leases

_logger = logging.getLogger("synapse_stream.consumers")


@contextmanager
def patiently(leases: Leases, held: Sequence[Lease], seconds: float) -> Iterator[None]:
    """Renew leases, which last so many seconds, from beside as long as something takes.

    What takes longer than a lease is said: its view delays itself, and trimming.
    """
    is_done, began = Event(), time.monotonic()

    def renew() -> None:
        while not is_done.wait(seconds / 3):
            for lease in held:
                with suppress(StoreUnavailable):  # the commit will tell
                    leases.renew(lease, seconds)

    beside = Thread(target=renew, name="patience", daemon=True)
    beside.start()
    try:
        yield
    finally:
        is_done.set()
        beside.join()
    if (took := time.monotonic() - began) > seconds:
        name = held[0].projection
        _logger.warning("%s is slow: it took %.0f s for one portion of events", name, took)
