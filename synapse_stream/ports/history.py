"""The port through which a job's state of before is read, and how a moment is written."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from synapse_stream.entries.position import Position
from synapse_stream.ports.finding import check_door, load_entry

if TYPE_CHECKING:
    from synapse_stream.ports.views.of_package import ViewState
    from synapse_stream.ports.views.run_state import RunState
    from synapse_stream.settings import Settings

Moment = Position | datetime | int
"""A position, a time with its zone, or a time in µs since the epoch."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_US = 253_402_300_800_000_000  # the year 10000


class History(Protocol):
    """Where states of before are read."""

    def state(self, job_id: str, at: Position | int) -> RunState | None:
        """Return the run state as it was; None when no event of the job had been recorded.

        Args:
            job_id: whose.
            at: up to and with this position; or, in the order of the stream, before the first event
                that was reported later than this time in µs.
        """

    def view(self, name: str, job_id: str, at: Position | int) -> ViewState | None:
        """Return what the view of another package had of a job, without rows; `at` as in `state`.

        Raises:
            LookupError: there is no such view.
        """

    def close(self) -> None:
        """Disconnect."""


def open_history(settings: Settings) -> History:
    """Open the history of a deployment's jobs.

    Raises:
        ConfigError: what serves it is not installed, or a URL is wrong.
    """
    check_door(settings)
    history: History = load_entry("synapse_stream.history")(settings)
    return history


def state_at(settings: Settings, job_id: str, at: Moment) -> RunState | None:
    """Return one job's run state as it was, as `History.state`.

    Raises:
        ConfigError: as `open_history`.
        SynapseStreamError: the stream could not be read.
        ValueError: a time has no zone.
    """
    with closing(open_history(settings)) as history:
        return history.state(job_id, _place(at))


def view_at(settings: Settings, name: str, job_id: str, at: Moment) -> ViewState | None:
    """Return what the view of another package had of a job, as `History.view`.

    Raises what `state_at` does, and LookupError when there is no such view.
    """
    with closing(open_history(settings)) as history:
        return history.view(name, job_id, _place(at))


def _place(at: Moment) -> Position | int:
    return at if isinstance(at, Position) else at_microseconds(at)


def parse_moment(text: str) -> Position | int:
    """Read a position, a time as RFC 3339 has it, or µs since the epoch.

    Raises:
        ValueError: it is none of them.
    """
    if "-" in text and not {"T", "t", ":"} & set(text):
        return Position.parse(text)
    is_number = text.isascii() and text.isdecimal()
    return at_microseconds(int(text) if is_number else datetime.fromisoformat(text))


def at_microseconds(time: datetime | int) -> int:
    """Return a time as µs since the epoch.

    Raises:
        ValueError: it has no time zone, or lies before 1970 or behind the year 9999.
    """
    if isinstance(time, datetime):
        if time.tzinfo is None:
            msg = f"{time.isoformat()} has no time zone"
            raise ValueError(msg)
        time = (time - _EPOCH) // timedelta(microseconds=1)
    if not 0 <= time < _LATEST_US:
        msg = f"{time} µs lies before 1970 or behind the year 9999"
        raise ValueError(msg)
    return time
