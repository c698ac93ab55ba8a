"""What `SYNAPSE_STREAM_ENABLE=1` does when an interpreter starts: it waits for other libraries.

`synapse_stream.pth` imports this module, beside the packages; where that is not installed,
`synapse-stream exec` has it done by `startup/sitecustomize.py`.
"""

from __future__ import annotations

from synapse_stream.integrations.synapse_sdk.installing import install

install()
