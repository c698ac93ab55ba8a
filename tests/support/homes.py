"""Homes of spools for tests that make no producer."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from synapse_stream.producer.spool.homes import Home, Homes, make_homes
from synapse_stream.producer.spool.info import ProducerInfo
from synapse_stream.settings import SHARED_MEMORY, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.producer.adoption.left import LeftHome


@contextmanager
def own_memory() -> Iterator[Path]:
    """Make shared memory that nobody else looks at; where there is none, a directory on disk."""
    place = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
    with TemporaryDirectory(prefix="test-synapse-", dir=place, ignore_cleanup_errors=True) as path:
        Path(path).chmod(0o1777)  # as shared memory is
        yield Path(path)


def described(settings: Settings, producer: str = "p1", job_id: str = "job-1") -> ProducerInfo:
    return ProducerInfo.of(settings, producer, job_id, 0, None)


def make(hot: Path | None, cold: Path | None, info: ProducerInfo | None = None) -> Homes:
    """Make homes; one that cannot be made fails the test."""
    settings = Settings(redis_url="redis://nowhere", data_dir=cold or hot or Path())
    return make_homes(info or described(settings), hot, cold, _refuse)


def _refuse(root: Path, error: OSError) -> None:
    raise AssertionError(root) from error


def segments(home: Home | LeftHome) -> list[Path]:
    """Return the segments in a home, oldest first."""
    return sorted(home.path.glob(f"{'[0-9]' * 8}.seg"))
