"""The port through which a producer's batches leave, and what makes it: late, as it is large.

Behind it are the streams of a server, or the HTTP API of a deployment.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING, Protocol

from synapse_stream.errors import LogUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from synapse_stream.entries.answers import Ack, Written
    from synapse_stream.entries.batch import Batch
    from synapse_stream.settings import Settings

# A fork in the middle of an import leaves half a module to the child, and its lock for ever held.
IMPORTS = threading.RLock()
"""Held by a thread of ours that imports, so that nobody forks meanwhile."""
os.register_at_fork(
    before=IMPORTS.acquire,
    after_in_parent=IMPORTS.release,
    after_in_child=IMPORTS.release,
)


class Log(Protocol):
    """Where batches go.

    Every method asks once and raises LogUnavailable when it was not taken or answered. Whether an
    append took effect is then unknown; sending it again is always safe.
    """

    is_cluster: bool
    """True when the keys of different jobs may be on different nodes."""
    answer_seconds: float
    """How long the server took to answer one command of the last `append_all`."""

    def check(self) -> str | None:
        """Return the id of the deployment, after making sure that it is ours to write to.

        Raises:
            ConfigError: it is not.
        """

    def append(self, batch: Batch) -> Ack:
        """Append `batch` if it follows the producer's last number; else say what is there."""

    def append_all(self, batches: Sequence[Batch]) -> list[Ack | LogUnavailable]:
        """Append batches of different producers; raise nothing, return what `append` would do."""

    def heads(self, producers: Sequence[tuple[str, str]]) -> list[Ack]:
        """Return what is there of pairs of job and producer, as outcome KNOWN."""

    def written(self, job_id: str, producer: str) -> Iterator[Written]:
        """Yield what the job's stream has under the name of a producer, in its order."""

    def close(self) -> None:
        """Disconnect. A later call would connect again."""


def opener(settings: Settings) -> Callable[[], Log]:
    """Return what makes a connection as the settings say.

    When redis cannot be imported, as while the interpreter shuts down or no file is left to open,
    the spool takes events all the same, and each connection tries again.
    """
    if settings.url is None:
        # Here and not in the lane's thread, where it would hold up who forks.
        with contextlib.suppress(Exception):  # whatever a package raises; `open_now` will say it
            from synapse_stream.log import event_log  # noqa: F401, PLC0415 - brings redis

    def open_now() -> Log:
        try:
            with IMPORTS:
                open_log = _way_of(settings)
        except Exception as error:
            reason = f"no connection can be made: {type(error).__name__}: {error}"
            raise LogUnavailable(reason) from error
        return open_log(settings)

    return open_now


def _way_of(settings: Settings) -> Callable[[Settings], Log]:
    if settings.url is None:
        from synapse_stream.log.event_log import open_log  # noqa: PLC0415 - as above

        return open_log
    from synapse_stream.remote.log import RemoteLog  # noqa: PLC0415 - brings urllib3

    return RemoteLog
