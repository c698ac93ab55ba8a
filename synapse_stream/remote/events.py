"""The recorded events of a job, as an API shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_stream.remote import shapes
from synapse_stream.remote.api import Api
from synapse_stream.remote.connection import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.entries.position import Position
    from synapse_stream.events.types import RecordedEvent
    from synapse_stream.settings import Settings


class RemoteEvents:
    """What is recorded of one job."""

    def __init__(self, settings: Settings, job_id: str) -> None:
        """Raise ConfigError when the settings cannot be used; the API is asked later."""
        self._api = Api(settings)
        self._job_id = job_id

    def read(self, after: Position, until: Position | None = None) -> Iterator[RecordedEvent]:
        """Yield what stands behind `after`, up to and with `until`; of an unknown job nothing.

        Raises:
            LogUnavailable: the API did not answer, or refused.
            Trimmed: some of it is gone for good.
        """
        try:
            yield from self._events("events", after=str(after), until=until and str(until))
        except Refused as error:
            if not error.is_unknown:
                raise

    def wait(self, after: Position, seconds: int) -> Iterator[RecordedEvent]:
        """Yield what stands behind `after` once there is any; nothing if none comes for so long.

        Raises what `read` does, and Refused for an unknown job.
        """
        yield from self._events("events", "live", after=str(after), seconds=seconds)

    def close(self) -> None:
        """Disconnect."""
        self._api.close()

    def _events(self, *path: str, **query: str | int | None) -> Iterator[RecordedEvent]:
        doing = f"reading the events of job {self._job_id!r}"
        for line in self._api.lines(doing, "jobs", self._job_id, *path, query=query):
            with self._api.understood():
                event = shapes.recorded(line)
            yield event
