"""The thread that sends what killed plugins left on this host."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from synapse_stream.producer.adoption.adopt import Adopter, Mandate
from synapse_stream.producer.shipping.port import opener
from synapse_stream.saying import voice

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from synapse_stream.producer.adoption.adopt import Adoption
    from synapse_stream.settings import Settings

_LOOK_SECONDS = 1.0
_LAST_WAIT_SECONDS = 5.0


class AdoptionThread:
    """Adopts from `with` to its end, and tells what is news: what was sent, and each new trouble.

    Nothing is lost when it is interrupted: what was not sent stays, and is sent by the next one.
    """

    def __init__(
        self, settings: Settings, tell: Callable[[Adoption], None], names: Collection[str] = ()
    ) -> None:
        """Adopt as `settings` say; `names` are other addresses by which that server goes."""
        self._adopter = Adopter(settings, opener(settings), Mandate(names=names))
        self._tell = tell
        self._troubles: dict[str, str | None] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="adoption", daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End after the spool in hand, or without it if the server does not answer."""
        self._stop.set()
        self._thread.join(_LAST_WAIT_SECONDS)

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            try:
                adoptions = self._adopter.adopt()
            except OSError as error:  # a look later it may be otherwise
                voice.warn("the spools cannot be looked at: %s", error)
                continue
            for adoption in adoptions:
                self._tell_news(adoption)

    def _tell_news(self, adoption: Adoption) -> None:
        before = self._troubles.get(adoption.producer)
        self._troubles[adoption.producer] = adoption.trouble
        if adoption.sent or adoption.is_lost or adoption.trouble not in {None, before}:
            self._tell(adoption)
