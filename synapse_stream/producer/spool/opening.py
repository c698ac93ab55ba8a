"""Opening the spool of a new producer, wherever there is room, and what is said at its end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from synapse_stream.producer.spool.homes import make_homes
from synapse_stream.producer.spool.quota import Quota
from synapse_stream.producer.spool.roots import hot_root
from synapse_stream.producer.spool.shelf import Shelf
from synapse_stream.producer.spool.spool import Spool
from synapse_stream.saying import voice
from synapse_stream.system.descriptors import NO_DESCRIPTOR, SET_ASIDE
from synapse_stream.system.identity import myself

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from pathlib import Path

    from synapse_stream.producer.spool.doorbell import Doorbell
    from synapse_stream.producer.spool.info import ProducerInfo
    from synapse_stream.settings import Settings


def open_spool(info: ProducerInfo, settings: Settings, news: Doorbell, crowding: Doorbell) -> Spool:
    """Open the spool where there is room; without any, events wait in memory and that is said."""
    troubles: dict[Path, OSError] = {}
    homes = make_homes(info, *_places(settings), troubles.__setitem__)
    _say_troubles(info.job_id, troubles)
    try:
        shelf = Shelf(settings, hot=homes.hot, cold=homes.cold)
        quota = Quota(settings.quota_bytes_a_second)
        return Spool(info.job_id, shelf, news, crowding, quota)
    except BaseException:  # Ctrl-C, or no memory is left
        homes.remove()
        raise


@SET_ASIDE.lent()
def move_in(spool: Spool, info: ProducerInfo, settings: Settings) -> list[Path]:
    """Give a spool the homes that could not be made when it was opened; return those that can."""
    found = make_homes(replace(info, owner=myself()), *_places(settings), lambda *_: None)
    homes = [home.path for home in found.each()]
    if homes:
        spool.move_in(found)
        voice.warn("job %s: the events are in %s from now on", info.job_id, homes[-1])
    return homes


def _places(settings: Settings) -> tuple[Path | None, Path]:
    """Return the roots for the homes of a spool, in shared memory and on disk."""
    wants_memory = bool(settings.spool_memory_bytes)
    hot = hot_root(settings.spool_root, settings.memory_dir) if wants_memory else None
    return hot, settings.spool_root


def _say_troubles(job_id: str, troubles: Mapping[Path, OSError]) -> None:
    """Say why there are no homes in some places; that no file can be opened only once."""
    for error in troubles.values():
        if error.errno in NO_DESCRIPTOR:
            voice.warn(
                "job %s: no file can be opened, so its events are in the memory of this process "
                "until one can: %s; close some, or raise their limit (ulimit -n)",
                job_id, error.strerror,
            )  # fmt: skip
            return
    for root, error in troubles.items():
        voice.warn(
            "job %s: no spool in %s: %s; set SYNAPSE_STREAM_SPOOL_DIR to a directory with room",
            job_id, root, error,
        )  # fmt: skip


def say_what_waits(spool: Spool) -> None:
    """Say of a spool that is closed where its unsent events are, and what becomes of them."""
    mortal = spool.mortal
    waiting = spool.next - 1 - spool.acknowledged - mortal
    if waiting > 0:
        voice.warn(
            "job %s: %d events wait in %s; the next run on this host sends them, "
            "or `synapse-stream drain`",
            spool.job_id, waiting, spool.home,
        )  # fmt: skip
    if mortal > 0:
        voice.warn(
            "job %s: %d events are in the memory of this process only, as there was no other "
            "room, and end with it; set SYNAPSE_STREAM_SPOOL_DIR to a directory with room",
            spool.job_id, mortal,
        )  # fmt: skip


def server_of(settings: Settings) -> Hashable:
    """Return what producers must have in common to share a connection."""
    return (
        settings.redis_url or settings.data_dir,
        settings.namespace,
        settings.partitions,
        settings.connect_seconds,
    )
