"""As `synapse_sdk.plugins.context`."""

from synapse_stream.reporting.context import RuntimeContext
from synapse_stream.reporting.environment import PluginEnvironment

__all__ = ["PluginEnvironment", "RuntimeContext"]
