"""Keep secrets out of what is recorded: `***` in their place, before anything reaches the spool.

`data.redact` looks through what a plugin passes (names and values), `text.redact_text` through one
text, `body.redact_body` through an encoded event, which is the door that every report goes through.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synapse_stream.redaction.body import redact_body
    from synapse_stream.redaction.data import redact
    from synapse_stream.redaction.names import MASK, looks_secret
    from synapse_stream.redaction.text import redact_text

__all__ = ["MASK", "looks_secret", "redact", "redact_body", "redact_text"]

_HOMES = {
    "MASK": "names",
    "looks_secret": "names",
    "redact": "data",
    "redact_body": "body",
    "redact_text": "text",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for: most runs have nothing that must be looked through."""
    home = _HOMES.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
