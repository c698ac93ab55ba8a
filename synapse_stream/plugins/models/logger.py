"""As `synapse_sdk.plugins.models.logger`."""

from synapse_stream.models import LogLevel, ProgressData

__all__ = ["LogLevel", "ProgressData"]
