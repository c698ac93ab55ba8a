"""Descriptors are closed under a plugin, and their numbers used again by others."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from synapse_stream.errors import LogUnavailable
from synapse_stream.reading.stream import JobStream
from synapse_stream.settings import PREFIX
from tests.support.chains import Chain
from tests.support.descriptors import PLUGIN
from tests.support.raw import client_of

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings


def sockets(log: EventLog) -> list[int]:
    pool = client_of(log)._client.connection_pool
    return [each._sock.fileno() for each in pool._available_connections]


def test_a_connection_writes_to_no_file_that_has_got_its_number(
    log: EventLog, tmp_path: Path
) -> None:
    chain = Chain()
    log.append(chain.add())
    (number,) = sockets(log)
    with (tmp_path / "own").open("wb") as own:
        os.dup2(own.fileno(), number)
        batch = chain.add()
        with suppress(LogUnavailable):
            log.append(batch)
        assert os.fstat(number).st_ino == os.fstat(own.fileno()).st_ino
        os.close(number)

    assert log.append(batch).last == batch.last
    assert (tmp_path / "own").read_bytes() == b""


def test_closing_a_connection_closes_no_file_that_has_got_its_number(
    log: EventLog, tmp_path: Path
) -> None:
    log.append(Chain().add())
    (number,) = sockets(log)
    with (tmp_path / "own").open("wb") as own:
        os.dup2(own.fileno(), number)
        log.close()
        assert os.fstat(number).st_ino == os.fstat(own.fileno()).st_ino
    os.close(number)


def test_a_plugin_whose_descriptors_are_taken_loses_nothing_and_keeps_its_files(
    settings: Settings, tmp_path: Path
) -> None:
    named = {
        PREFIX + name.upper(): str(value)
        for name, value in settings.model_dump(exclude_unset=True).items()
    }
    own = tmp_path / "own"
    ran = subprocess.run(
        [sys.executable, "-c", PLUGIN, own], env={**os.environ, **named}, check=False
    )

    assert ran.returncode == 0
    texts = [
        str(recorded.event.content)  # type: ignore[attr-defined]
        for recorded in JobStream("job-1", settings).read()
        if recorded.event.type == "message"
    ]
    assert texts == ["before", *(f"after {n}" for n in range(5)), "later"]
    assert own.read_bytes() == b""
