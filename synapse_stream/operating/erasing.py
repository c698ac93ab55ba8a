"""Erased lines leave the streams, as soon as every projection has read what stands there.

A stream loses its beginning, up to the last entry with such a line; all of it is archived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_stream.ports.projections import projections

if TYPE_CHECKING:
    from synapse_stream.entries.entry import EntryId
    from synapse_stream.log.trimming import TrimLog
    from synapse_stream.ports.operations import Operations


def leave_streams(store: Operations, log: TrimLog) -> list[str]:
    """Trim the streams that may have erased lines; return the jobs of which one is still awaited.

    Raises LogUnavailable and SynapseStreamError when server or store do not answer.
    """
    streamed = store.erasures.streamed()
    if not streamed:
        return []
    retired = log.retired()
    counting = [name for name in projections().names() if name not in retired]
    positions = store.leases.durable_positions(counting)
    waiting = []
    for job_id, until in streamed.items():
        partition = log.keys.partition(job_id)
        newest = log.feed_last(partition)
        reached = [positions[name].get(partition) for name in counting]
        if all(_has_read(at, until, newest) for at in reached):
            log.trim_job_for_good(job_id, until)
            store.erasures.left(job_id, until)
        else:
            waiting.append(job_id)
    return waiting


def _has_read(position: EntryId | None, until: EntryId, newest: EntryId) -> bool:
    """Tell whether a projection has read up to an entry; one ahead of its feed may read again."""
    if newest == (0, 0):
        return True
    return position is not None and until <= position <= newest
