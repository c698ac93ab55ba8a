"""Opening the spool of a new producer, wherever there is room, and what is said at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_stream.producer.spool.homes import make_homes
from synapse_stream.producer.spool.quota import Quota
from synapse_stream.producer.spool.roots import hot_root
from synapse_stream.producer.spool.shelf import Shelf
from synapse_stream.producer.spool.spool import Spool
from synapse_stream.saying import voice

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_stream.producer.spool.doorbell import Doorbell
    from synapse_stream.producer.spool.info import ProducerInfo
    from synapse_stream.settings import Settings


def open_spool(info: ProducerInfo, settings: Settings, news: Doorbell, crowding: Doorbell) -> Spool:
    """Open the spool where there is room; without any, events wait in memory and that is said."""
    hot = (
        hot_root(settings.spool_root, settings.memory_dir) if settings.spool_memory_bytes else None
    )

    def say(root: Path, error: OSError) -> None:
        voice.warn(
            "job %s: no spool in %s: %s; set SYNAPSE_STREAM_SPOOL_DIR to a directory with room",
            info.job_id, root, error,
        )  # fmt: skip

    homes = make_homes(info, hot, settings.spool_root, say)
    try:
        shelf = Shelf(settings, hot=homes.hot, cold=homes.cold)
        quota = Quota(settings.quota_bytes_a_second)
        return Spool(info.job_id, shelf, news, crowding, quota)
    except BaseException:  # Ctrl-C, or no memory is left
        homes.remove()
        raise


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
