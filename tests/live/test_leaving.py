"""The API's process leaves at once, with its streams ended in good order."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.live.conftest import Deployment, message
from tests.support.scenes.api import ApiProcess
from tests.support.scenes.reader import Reader

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_streams_and_process(
    deployment: Deployment, job: str, number: signal.Signals, tmp_path: Path
) -> None:
    deployment.report(job, message(0))
    with (
        ApiProcess(deployment.settings, tmp_path / "log") as api,
        Reader(api.port, job) as one,
        Reader(api.port, None) as every,
    ):
        one.until_kinds("snapshot")
        every.until(lambda reader: reader.status == 200)

        assert api.stop(number) == 0

        for reader in (one, every):
            assert reader.until_the_end().is_over
        assert "Traceback" not in api.log
        assert "Cancel" not in api.log, "uvicorn had to cut the streams"
