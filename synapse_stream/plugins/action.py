"""As `synapse_sdk.plugins.action`."""

from synapse_stream.reporting.action import BaseAction

__all__ = ["BaseAction"]
