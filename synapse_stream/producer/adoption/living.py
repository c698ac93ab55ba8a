"""Whether the process that opened a run lives on this host."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING

from synapse_stream.errors import DecodeError
from synapse_stream.producer.adoption.case import Case
from synapse_stream.producer.adoption.left import describe
from synapse_stream.producer.adoption.search import names_in, own_pair
from synapse_stream.system.identity import myself
from synapse_stream.system.private import make_folder, open_own

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from synapse_stream.producer.adoption.search import Pair
    from synapse_stream.producer.spool.info import ProducerInfo
    from synapse_stream.settings import Settings
    from synapse_stream.system.identity import Identity


_LONGEST_WAIT_SECONDS = 2.0
_LOOK_AGAIN_SECONDS = 0.01


@contextlib.contextmanager
def one_at_a_time(settings: Settings) -> Iterator[None]:
    """Let one process of this host after the other look who lives and show that itself does.

    Who holds others up for long is not waited for, nor where no such thing can be written.
    """
    descriptor = -1
    try:
        with contextlib.suppress(OSError):
            make_folder(settings.spool_root)
            descriptor = open_own(settings.spool_root / ".opening")
            _lock(descriptor)
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _lock(descriptor: int) -> None:
    deadline = time.monotonic() + _LONGEST_WAIT_SECONDS
    while time.monotonic() < deadline:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOOK_AGAIN_SECONDS)
        else:
            return


def find_living(settings: Settings, job_id: str) -> ProducerInfo | None:
    """Return a producer of rank 0 of the job that provably lives on this host; None: no such.

    One of this process is none.
    """
    pair, me = own_pair(settings), myself()
    wanted = (job_id, 0, settings.namespace)
    for root in pair.named().values():
        for name in names_in(root):
            with contextlib.suppress(OSError, DecodeError):
                info = describe(root / name)
                is_it = (info.job_id, info.rank, info.namespace) == wanted and info.owner != me
                if is_it and _is_here(info.owner, me) and _lives(pair, name, settings.memory_dir):
                    return info
    return None


def _is_here(owner: Identity, me: Identity) -> bool:
    """Tell whether a process ran on this host; a boot's id is that of all its containers."""
    if owner.boot is not None and me.boot is not None:
        return owner.boot == me.boot
    return owner.host == me.host


def _lives(pair: Pair, name: str, memory: Path) -> bool:
    with Case(pair, name, memory) as case:
        return case.is_alive
