"""Find what is installed for a port: `synapse_stream` imports nothing that needs a database."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from synapse_stream.errors import ConfigError
from synapse_stream.ports.own import find_consumers


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
                "pip install 'synapse-stream[consumers]' brings it"
            )
            raise ConfigError(msg) from error
    msg = (
        f"nothing installed serves the entry point group {group}: "
        "pip install 'synapse-stream[consumers]' brings what does"
    )
    raise ConfigError(msg)
