"""Keep secrets out of what is recorded: `***` in their place, before anything reaches the spool.

`data.redact` looks through what a plugin passes (names and values), `text.redact_text` through one
text, `body.redact_body` through an encoded event, which is the door that every report goes through.
"""

from synapse_stream.redaction.body import redact_body
from synapse_stream.redaction.data import redact
from synapse_stream.redaction.names import MASK, looks_secret
from synapse_stream.redaction.text import redact_text

__all__ = ["MASK", "looks_secret", "redact", "redact_body", "redact_text"]
