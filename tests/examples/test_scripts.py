from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from synapse_stream import JobStream

if TYPE_CHECKING:
    from synapse_stream.settings import Settings

EXAMPLES = Path(__file__).parents[2] / "examples"


def environment(**changed: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if "SYNAPSE_STREAM" not in name}
    return {**kept, **changed}


def test_the_quickstart_reports_its_run(settings: Settings) -> None:
    subprocess.run(
        [sys.executable, EXAMPLES / "quickstart.py"],
        env=environment(
            SYNAPSE_STREAM_REDIS_URL=str(settings.redis_url),
            SYNAPSE_STREAM_NAMESPACE=settings.namespace,
            SYNAPSE_STREAM_DATA_DIR=str(settings.data_dir),
        ),
        check=True,
        capture_output=True,
    )

    kinds = [recorded.event.type for recorded in JobStream("job-42", settings).read()]
    assert kinds[:2] == ["run_started", "message"]
    assert kinds[-3:] == ["log", "message", "end"]
    assert kinds.count("metrics") == 50


def test_the_demo_trains_reads_the_stream_back_and_leaves_no_server(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, EXAMPLES / "demo.py", "--epochs", "2", "--data-dir", tmp_path],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode == 0, said.stderr
    assert "digits are read right" in said.stderr
    assert "4 metrics" in said.stdout
    assert "is there once and in order" in said.stdout.splitlines()[-1]
    assert not (tmp_path / "server.json").exists()


def test_ctrl_c_ends_the_demo_with_its_run_recorded(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [sys.executable, EXAMPLES / "demo.py", "--data-dir", tmp_path],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )
    assert demo.stdout is not None
    for line in demo.stdout:
        if "validation 1/" in line or "validation 3/" in line:
            break

    os.killpg(demo.pid, signal.SIGINT)
    said, _ = demo.communicate(timeout=50)

    assert demo.returncode == 130, said
    assert "status=cancelled error=KeyboardInterrupt" in said
    assert "is there once and in order" in said
    assert "Traceback" not in said
    assert not (tmp_path / "server.json").exists()
