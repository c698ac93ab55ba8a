"""What Redis tools see of the consumers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.raw import client_of

if TYPE_CHECKING:
    from synapse_stream.log.feeds import FeedLog


def groups(log: FeedLog, partition: int) -> dict[str, str]:
    """Return the consumer groups of a feed with their positions, as XINFO GROUPS shows them."""
    found = client_of(log).execute_command("XINFO", "GROUPS", log.keys.feed(partition))
    rows = [dict(zip(row[::2], row[1::2], strict=True)) for row in found]
    return {row[b"name"].decode(): row[b"last-delivered-id"].decode() for row in rows}
