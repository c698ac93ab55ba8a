"""As `synapse_sdk.plugins.models`."""

from synapse_stream.models import ActionStatus, RunStatus

__all__ = ["ActionStatus", "RunStatus"]
