"""The modules of `synapse_sdk.plugins` by their names: one word changes in a plugin's imports."""
