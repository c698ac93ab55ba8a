"""The Synapse SDK reports into Synapse Stream: beside its own loggers, or in their place.

    from synapse_stream.integrations.synapse_sdk import StreamLogger, install

    ctx = RuntimeContext(logger=StreamLogger("job-42", also=JobLogger(client, "job-42")), env=env)
    install()       # or: the SDK's drivers build such loggers by themselves from now on

Whatever stands behind gets what it always got; nothing here raises into the plugin or waits for a
server. The SDK is imported when one of these names is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synapse_stream.integrations.synapse_sdk.actions import as_action
    from synapse_stream.integrations.synapse_sdk.installing import install
    from synapse_stream.integrations.synapse_sdk.loggers import (
        StreamConsoleLogger,
        StreamJobLogger,
        StreamLogger,
    )

__all__ = ["StreamConsoleLogger", "StreamJobLogger", "StreamLogger", "as_action", "install"]

_HOME_OF = {
    "StreamConsoleLogger": "loggers",
    "StreamJobLogger": "loggers",
    "StreamLogger": "loggers",
    "as_action": "actions",
    "install": "installing",
}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{home}"), name)
