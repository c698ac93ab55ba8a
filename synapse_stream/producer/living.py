"""Whether the process that opened a run lives on this host."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING

from synapse_stream.errors import DecodeError
from synapse_stream.producer.info import DESCRIPTION, ProducerInfo
from synapse_stream.producer.roots import roots

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from synapse_stream.settings import Settings


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
            settings.spool_root.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(settings.spool_root / ".opening", flags, 0o600)
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
    """Return a producer of rank 0 of the job that provably lives on this host; None: no such."""
    for root in roots(settings):
        with contextlib.suppress(OSError):
            for home in root.iterdir():
                with contextlib.suppress(OSError, DecodeError):
                    info = ProducerInfo.parse((home / DESCRIPTION).read_bytes())
                    is_it = (info.job_id, info.rank) == (job_id, 0)
                    if is_it and info.namespace == settings.namespace and _is_locked(home):
                        return info
    return None


def _is_locked(home: Path) -> bool:
    descriptor = os.open(home / DESCRIPTION, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
