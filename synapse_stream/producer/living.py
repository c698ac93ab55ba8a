"""Whether the process that opened a run lives on this host."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from synapse_stream.errors import DecodeError
from synapse_stream.producer.info import DESCRIPTION, ProducerInfo
from synapse_stream.producer.roots import roots

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_stream.settings import Settings


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
