"""Find what is installed for a port: `synapse_stream` imports nothing that needs a database."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from synapse_stream.errors import ConfigError
from synapse_stream.ports.own import find_consumers

if TYPE_CHECKING:
    from synapse_stream.settings import Settings


def check_door(settings: Settings) -> None:
    """Raise ConfigError for settings that name only an API."""
    if settings.url is not None:
        msg = (
            f"this is not to be had over SYNAPSE_STREAM_URL={settings.server}: it needs server "
            "and store; set SYNAPSE_STREAM_REDIS_URL and SYNAPSE_STREAM_STORE_URL in its place"
        )
        raise ConfigError(msg)


def load_entry(group: str) -> Any:
    """Return what the first entry point of a group names.

    Raises:
        ConfigError: nothing that is installed serves the group, or what serves it lacks a package
            or is hidden by another of its name.
    """
    find_consumers()
    for entry_point in entry_points(group=group):
        try:
            return entry_point.load()
        except ModuleNotFoundError as error:
            msg = (
                f"what serves {group} needs {error.name}: "
                "pip install 'synapse-stream[consumers]' brings it; or set SYNAPSE_STREAM_URL and "
                "SYNAPSE_STREAM_TOKEN, and the API of a deployment is read, which needs none of it"
            )
            raise ConfigError(msg) from error
    msg = (
        f"nothing installed serves the entry point group {group}: "
        "pip install 'synapse-stream[consumers]' brings what does"
    )
    raise ConfigError(msg)
