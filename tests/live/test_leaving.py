"""The program itself: it leaves at once with its streams ended in good order."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from synapse_stream.settings import PREFIX
from tests.live.conftest import Deployment, message
from tests.resilience_live.reader import Reader
from tests.servers import free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Program = tuple[subprocess.Popen[bytes], int]


@pytest.fixture
def program(deployment: Deployment, tmp_path: Path) -> Iterator[Program]:
    shown = deployment.settings.model_dump(exclude_none=True)
    named = {PREFIX + name.upper(): str(value) for name, value in shown.items()}
    port = free_port()
    command = [sys.executable, "-m", "consumers.api", "--port", str(port)]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(command, env={**os.environ, **named}, stderr=log) as process,
    ):

        def listens() -> bool:
            with socket.socket() as probe:
                return process.poll() is None and not probe.connect_ex(("127.0.0.1", port))

        wait_until(listens)
        yield process, port
        process.kill()
    said = (tmp_path / "log").read_text()
    assert "Traceback" not in said
    assert "Cancel" not in said, "uvicorn had to cut the streams"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_streams_and_process(
    deployment: Deployment,
    job: str,
    program: Program,
    number: signal.Signals,
) -> None:
    process, port = program
    deployment.report(job, message(0))
    with Reader(port, job) as one, Reader(port, None) as every:
        one.until_kinds("snapshot")
        every.until(lambda reader: reader.status == 200)

        process.send_signal(number)

        for reader in (one, every):
            while reader.is_connected:
                reader.receive()
            assert reader.is_over
    assert process.wait(20) == 0
