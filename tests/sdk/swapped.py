"""A plugin of pytest: the loggers that the SDK's own tests build report to the stream as well."""

from synapse_stream.integrations.synapse_sdk import install

install()
