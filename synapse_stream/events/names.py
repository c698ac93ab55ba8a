"""Names that every view can index: of steps, metrics, actions."""

from __future__ import annotations

from synapse_stream.events.plain import clean

MAX_NAME = 512

_KEPT_OF_NAME = 480
_NUL_SHOWN = "\u2400"  # ␀; no database takes the character itself


def storable(name: str) -> str:
    """Return `name` as it can be stored: without NUL and lone surrogates, and not too long.

    A name of more than 512 characters keeps its first 480, an ellipsis and 16 hexadecimal digits of
    its SHA-256: still one name for one series.
    """
    name = str.__str__(name)
    if is_storable(name):
        return name
    shown = clean(name).replace("\0", _NUL_SHOWN)
    if len(shown) <= MAX_NAME:
        return shown
    from hashlib import sha256  # noqa: PLC0415 - names are seldom that long

    digest = sha256(name.encode(errors="surrogatepass")).hexdigest()
    return f"{shown[:_KEPT_OF_NAME]}…{digest[:16]}"


def is_storable(name: str) -> bool:
    """Tell at a glance, for nearly every name, that it can be stored as it is."""
    return len(name) <= MAX_NAME and name.isascii() and "\0" not in name
