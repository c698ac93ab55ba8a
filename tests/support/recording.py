"""A logger for tests that keeps what it is given."""

from __future__ import annotations

from typing import Any, NamedTuple

from synapse_stream.loggers.base import BaseLogger


class Recorded(NamedTuple):
    kind: str
    step: str | None
    fields: dict[str, Any]


class RecordingLogger(BaseLogger):
    def __init__(self, job_id: str | None = "job-1") -> None:
        super().__init__(job_id)
        self.events: list[Recorded] = []
        self.times_closed = 0

    def record(self, kind: str, step: str | None, fields: dict[str, Any]) -> None:
        self.events.append(Recorded(kind, step, fields))

    def close(self) -> None:
        self.times_closed += 1

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event.fields for event in self.events if event.kind == kind]

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    @property
    def actions(self) -> list[tuple[str, str]]:
        return [(fields["name"], str(fields["status"])) for fields in self.of("action")]


class BrokenLogger(RecordingLogger):
    """Keeps nothing: every method of it fails."""

    def record(self, kind: str, step: str | None, fields: dict[str, Any]) -> None:
        msg = f"no place for {kind}"
        raise OSError(msg)

    def flush(self, timeout: float | None = None) -> bool:
        msg = "no place at all"
        raise OSError(msg)

    def close(self) -> None:
        super().close()
        msg = "nothing to close"
        raise OSError(msg)
