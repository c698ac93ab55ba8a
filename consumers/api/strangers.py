"""Who comes with wrong tokens waits longer each time, and is logged."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from http import HTTPStatus
from math import log10

from consumers.api.problems import Problem

_STEP_SECONDS, _LONGEST_SECONDS = 0.01, 1.0
_MOST_SECONDS = 10.0
_FORGOTTEN_SECONDS = 600.0
_MOST_KEPT = 10_000
_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Tries:
    count: int = 0
    last: float = 0.0
    free_at: float = 0.0


class Strangers:
    """Counts wrong tokens by address. Belongs to the event loop."""

    def __init__(self) -> None:
        self._tries: OrderedDict[str, _Tries] = OrderedDict()

    async def slow(self, address: str) -> None:
        """Note a wrong token, and wait; attempts of one address wait for one another.

        Raises:
            Problem: so many wait already that this one does not.
        """
        now = time.monotonic()
        tries = self._tries.setdefault(address, _Tries())
        self._tries.move_to_end(address)
        if len(self._tries) > _MOST_KEPT:
            self._tries.popitem(last=False)
        if now - tries.last > _FORGOTTEN_SECONDS:
            tries.count = 0
        tries.count, tries.last = tries.count + 1, now
        if log10(tries.count).is_integer():
            _logger.warning("a wrong token came from %s, the %d. time", address, tries.count)
        begin = max(now, tries.free_at)
        if begin - now > _MOST_SECONDS:
            detail = "too many wrong tokens came from this address"
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers={"Retry-After": "10"})
        tries.free_at = begin + min(_LONGEST_SECONDS, _STEP_SECONDS * tries.count)
        await asyncio.sleep(tries.free_at - now)
