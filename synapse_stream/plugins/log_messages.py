"""As `synapse_sdk.plugins.log_messages`."""

from synapse_stream.events.codes import (
    CommonLogMessageCode,
    LogMessageCode,
    register_log_messages,
    resolve_log_message,
)

__all__ = [
    "CommonLogMessageCode",
    "LogMessageCode",
    "register_log_messages",
    "resolve_log_message",
]
