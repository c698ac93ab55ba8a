"""A copied data directory is a deployment of its own, though it holds what the original held."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import orjson

from synapse_stream.log.address import is_copied, place_of
from synapse_stream.system.private import write_file

if TYPE_CHECKING:
    from pathlib import Path

    from redis import Redis

_FILE = "place.json"


def settle(home: Path, client: Redis) -> bool:
    """Give every deployment on the server of `home` a new id, if its files were copied there.

    What the original accepted belongs to the original; what the copy gets from now on to the copy.

    Returns:
        True when it was a copy.
    """
    try:
        place = orjson.loads((home / _FILE).read_bytes())
    except (OSError, ValueError):
        place = None
    was_copied = is_copied(home, place)
    if was_copied:
        for key in client.scan_iter("*:config", _type="hash"):
            if client.hexists(key, "id"):
                client.hset(key, "id", secrets.token_hex(8))
    if was_copied or place is None:
        write_file(home / _FILE, orjson.dumps(place_of(home)))
    return was_copied
