"""Having witnesses cosign the log of anchors, beside the notary's own work."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from consumers.outages import Outage
from synapse_stream.errors import DecodeError
from synapse_stream.tlog.asking import Contradicted

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from synapse_stream.tlog.asking import KnownWitness
    from synapse_stream.tlog.checkpoint import SignedCheckpoint
    from synapse_stream.tlog.folder import LogFolder

_logger = logging.getLogger("synapse_stream.consumers")

_LOOK_SECONDS = 1.0
_AGAIN_SECONDS = 60.0
"""How often a log that does not grow is cosigned again, so that it can be told that it does not."""


class Cosigning:
    """Asks each witness that has an address; `run` returns at `stop`."""

    def __init__(self, folder: LogFolder, witnesses: Sequence[KnownWitness]) -> None:
        self._folder = folder
        self._witnesses = [one for one in witnesses if one.url is not None]
        self._cosigned: dict[str, tuple[SignedCheckpoint, float]] = {}
        self._outage = Outage(_logger, "witnesses are asked again", "witnesses cosign again")
        self.contradiction: str | None = None
        """What a witness has said that speaks against the log; nothing may be signed then."""

    def run(self, stop: threading.Event) -> None:
        """Have every new checkpoint cosigned until `stop` is set."""
        while self._witnesses and not stop.wait(_LOOK_SECONDS):
            self.look(time.monotonic())

    def look(self, now: float) -> None:
        """Have the newest checkpoint cosigned by whoever has not done so, or not for a while."""
        errors: list[Exception] = []
        contradictions = []
        for one in self._witnesses:
            try:
                self._ask(one, now)
            except Contradicted as error:
                contradictions.append(str(error))
            except (OSError, DecodeError) as error:
                errors.append(error)
        self.contradiction = "; ".join(contradictions) or None
        for fault in errors:
            self._outage.tell(fault)
        if not errors:
            self._outage.end()

    def _ask(self, one: KnownWitness, now: float) -> None:
        signed = self._folder.checkpoint()
        before, at = self._cosigned.get(one.key.name, (None, 0.0))
        if signed is None or (signed == before and now - at < _AGAIN_SECONDS):
            return
        self._folder.put_cosigned(signed, one.cosign(self._folder, signed))
        self._cosigned[one.key.name] = (signed, now)
