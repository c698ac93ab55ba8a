"""The clock by which health and age are judged: the server's own, whichever way it is reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_stream.log.feeds import FeedLog

if TYPE_CHECKING:
    from synapse_stream.log.server_clock import Clock
    from synapse_stream.settings import Settings


def open_clock(settings: Settings) -> Clock:
    """Return what can be asked for it, by the server or its API.

    Raises:
        ConfigError: the settings cannot be used.
    """
    if settings.url is None:
        return FeedLog.open(settings)
    from synapse_stream.remote.api import Api  # noqa: PLC0415 - brings urllib3

    return Api(settings)
