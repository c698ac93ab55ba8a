from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from synapse_stream import JobStream
from tests.support.servers import free_port, wait_until

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
            SYNAPSE_STREAM_EXIT_WAIT_SECONDS="30",
        ),
        check=True,
        capture_output=True,
    )

    kinds = [recorded.event.type for recorded in JobStream("job-42", settings).read()]
    assert kinds[:2] == ["run_started", "message"]
    assert kinds[-3:] == ["log", "message", "end"]
    assert kinds.count("metrics") == 50


def demo(home: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, str(EXAMPLES / "demo.py")]
    return subprocess.Popen(
        [*command, "--data-dir", str(home), "--port", str(free_port()), *arguments],
        env=environment(),
        stdin=subprocess.DEVNULL,
        text=True,
        **options,
    )


@pytest.mark.timeout(300)
def test_the_demo_shows_three_jobs_checks_them_and_leaves_nothing_running(tmp_path: Path) -> None:
    running = demo(tmp_path, "--epochs", "2", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = running.communicate()

    assert running.returncode == 0, err
    assert re.search(r"^Open http://127.0.0.1:\d+/\?token=\S+ now", out, re.MULTILINE)
    assert "digits are read right" in err
    checks = [line.rpartition("; ")[::2] for line in out.splitlines() if "Check: " in line]
    assert [found.endswith("each once and in order") for found, _ in checks] == [True] * 3
    stand = [re.fullmatch(r"the page shows (\w+), \d+ events", shown) for _, shown in checks]
    assert [match and match[1] for match in stand] == ["completed", "failed", "running"]
    assert re.findall(r"^\w+-[\d-]+: (\w+), ", out, re.MULTILINE) == ["intact", "intact", "open"]
    assert not (tmp_path / "server.json").exists()


@pytest.mark.timeout(300)
def test_ctrl_c_ends_the_demo_with_its_run_recorded(tmp_path: Path) -> None:
    running = demo(
        tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    assert running.stdout is not None
    for line in running.stdout:
        if "validation 1/" in line or "validation 3/" in line:
            break

    os.killpg(running.pid, signal.SIGINT)
    said, _ = running.communicate()

    assert running.returncode == 130, said
    assert re.search(r"Check: digits-.* each once and in order; .* cancelled,", said)
    assert "Traceback" not in said
    assert not (tmp_path / "server.json").exists()


@pytest.mark.timeout(300)
def test_ctrl_c_while_the_demo_starts_ends_it_at_once(tmp_path: Path) -> None:
    running = demo(
        tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    wait_until((tmp_path / "up.lock").exists)

    os.killpg(running.pid, signal.SIGINT)
    said, _ = running.communicate()

    assert running.returncode == 130, said
    assert "Open http" not in said
    assert "Traceback" not in said
