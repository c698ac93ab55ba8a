"""A data directory that was copied, and one that is another user's."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from synapse_stream import JobStream, open_run
from synapse_stream.errors import LogUnavailable
from synapse_stream.log.address import running_url
from synapse_stream.log.event_log import open_log
from synapse_stream.log.feeds import FeedLog
from synapse_stream.log.server import EmbeddedServer
from synapse_stream.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = 65534


def settings(data_dir: Path) -> Settings:
    return Settings(data_dir=data_dir, spool_memory_bytes=0, exit_wait_seconds=20)


def report(job: str, data_dir: Path) -> None:
    with open_run(job, settings=settings(data_dir)) as ctx:
        ctx.log_message("hello")
        assert ctx.flush(20)


def found(data_dir: Path) -> None:
    """Do what the first consumer does."""
    with closing(FeedLog.open(settings(data_dir))) as log:
        log.check()


def messages(job: str, data_dir: Path) -> int:
    events = JobStream(job, settings(data_dir)).read()
    return sum(recorded.event.type == "message" for recorded in events)


def deployment(data_dir: Path) -> str | None:
    with closing(open_log(settings(data_dir))) as log:
        return log.check()


def test_what_reports_in_a_copy_does_not_reach_the_original(tmp_path: Path) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    with EmbeddedServer(original):
        found(original)
        report("before", original)
        shutil.copytree(original, copy)

        with pytest.raises(LogUnavailable, match="is a copy"):
            running_url(copy)
        hasty = Settings(data_dir=copy, spool_memory_bytes=0, exit_wait_seconds=0.1)
        with open_run("in-the-copy", settings=hasty) as ctx:
            ctx.log_message("hello")

        assert messages("in-the-copy", original) == 0


def test_a_copy_begins_as_a_deployment_of_its_own_with_what_was_there(tmp_path: Path) -> None:
    original, copy, moved = tmp_path / "original", tmp_path / "copy", tmp_path / "moved"
    with EmbeddedServer(original):
        found(original)
        report("before", original)
        first = deployment(original)
    shutil.copytree(original, copy)
    original.rename(moved)

    with EmbeddedServer(moved), EmbeddedServer(copy):
        report("in-the-copy", copy)

        assert deployment(moved) == first
        assert deployment(copy) not in {first, None}
        assert messages("before", copy) == messages("in-the-copy", copy) == 1
        assert messages("in-the-copy", moved) == 0
        own = deployment(copy)
    with EmbeddedServer(copy):
        assert deployment(copy) == own


def test_another_users_server_is_permission_denied(tmp_path: Path) -> None:
    home = tmp_path / "theirs"
    with EmbeddedServer(home):
        home.chmod(0o000)
        try:
            if os.getuid() == 0:  # whom no mode stops
                os.seteuid(NOBODY)
            with pytest.raises(LogUnavailable, match="permission denied: the server of"):
                running_url(home)
        finally:
            os.seteuid(os.getuid())
            home.chmod(0o700)
