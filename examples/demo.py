"""`make demo`: everything on this machine, and three runs that report to it.

A real training in this terminal, an import that ends with an error, and a long export. At the end
what is recorded is checked; then all goes on until Ctrl-C. `make demo ARGS=--once`, or without a
terminal, it ends by itself, with exit code 0 if all is right; `--epochs 5` takes less time.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from synapse_stream import JobStream, RunStatus
from synapse_stream.settings import PREFIX
from synapse_stream.system.leash import leashed
from synapse_stream.system.signals import on_signals

if TYPE_CHECKING:
    from synapse_stream.ports.views import RunState

_PROJECT = Path(__file__).parents[1]
_COMMAND = (sys.executable, "-m", "synapse_stream.cli")
_PORTS = range(8420, 8440)
_JOBS = ("digits", "import", "export")
_PATIENCE_SECONDS = 60.0
_ENDING = (signal.SIGINT, signal.SIGTERM)


def main() -> int:
    """Run the demo; return 0 if everything is as it should be, 130 when it was interrupted."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--data-dir", type=Path, default=_PROJECT / ".demo")
    parser.add_argument("--port", type=int, help="else the first free one from 8420 on")
    parser.add_argument("--once", action="store_true", help="end when the training has ended")
    given = parser.parse_args()
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    os.environ[f"{PREFIX}DATA_DIR"] = str(given.data_dir.absolute())
    page = f"http://127.0.0.1:{given.port or next(filter(_is_free, _PORTS))}"
    up, address = _start_up(page)
    try:
        if up.poll() is not None:
            return (
                up.returncode if up.returncode > 0 else 130
            )  # else Ctrl-C came before it listened
        return _show(given, address)
    finally:
        up.send_signal(signal.SIGINT)
        up.wait()


def _start_up(page: str) -> tuple[subprocess.Popen[bytes], str]:
    """Start server, consumers, API and page; return when they are ready, or have failed.

    The page's address comes back with the token that was made for it. They have a session of their
    own: Ctrl-C is for the runs first.
    """
    print("synapse-stream up", flush=True)
    command = [*_COMMAND, "up", "--port", page.rpartition(":")[2]]
    up = subprocess.Popen(
        leashed(command), cwd=_PROJECT, stdout=subprocess.PIPE, start_new_session=True
    )
    on_signals(lambda _: up.send_signal(signal.SIGINT), *_ENDING)
    if up.stdout is not None:
        for line in up.stdout:
            print(line.decode(), end="", flush=True)
            if line.startswith(b"  page "):
                page = line.decode().split()[1]
            if line.startswith(b"  export "):
                return up, page
    up.wait()
    return up, page


def _show(given: argparse.Namespace, page: str) -> int:
    """Have three jobs report, check what is recorded of them, and stay until Ctrl-C."""
    print(f"\nOpen {page} now: three jobs report there, one of them here, too\n")
    home, now = given.data_dir.absolute(), f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    params = {"epochs": given.epochs, "output_dir": str(home / "checkpoints")}
    exporting = _run(
        "slow_export:ExportTiles", f"export-{now}", {"output_dir": str(home / "tiles")}
    )
    importing = _run("failing_import:ImportRows", f"import-{now}", {})
    training = _run("train_digits.plugin:TrainDigits", f"digits-{now}", params, is_shown=True)
    stop = threading.Event()

    def interrupt(number: int) -> None:
        stop.set()
        if number == signal.SIGTERM:  # Ctrl-C reaches the training by itself
            training.terminate()

    on_signals(interrupt, *_ENDING)
    try:
        code = training.wait()
        print()
        if stop.is_set():
            _check(f"digits-{now}", RunStatus.CANCELLED)
            return code
        importing.wait()
        if not _are_as_expected(now, stop):
            return 130 if stop.is_set() else 1
        if not given.once and sys.stdin.isatty():
            print(f"\nEverything runs on: {page}  Ctrl-C stops it", flush=True)
            stop.wait()
    finally:
        for run in (exporting, importing):
            run.terminate()
            run.wait()
    return 0


def _are_as_expected(now: str, stop: threading.Event) -> bool:
    """Check and verify the jobs; an interrupt ends it."""
    expected = (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.RUNNING)
    checks = [_check(f"{job}-{now}", status) for job, status in zip(_JOBS, expected, strict=True)]
    checks += [_verify(f"{job}-{now}") for job in _JOBS if not stop.is_set()]
    return all(checks)


def _run(target: str, job: str, params: Any, *, is_shown: bool = False) -> subprocess.Popen[bytes]:
    print(f"synapse-stream run examples.{target} --job-id {job}", flush=True)
    given = ["--job-id", job, "--params", orjson.dumps(params).decode()]
    command = [*_COMMAND, "run", f"examples.{target}", *given]
    if is_shown:
        return subprocess.Popen(command, cwd=_PROJECT)
    return subprocess.Popen(
        leashed(command), cwd=_PROJECT, stderr=subprocess.DEVNULL, start_new_session=True
    )


def _check(job: str, expected: RunStatus) -> bool:
    """Compare a job's stream with itself and with the views; say what was found."""
    numbers = defaultdict(list)
    last = None
    for recorded in JobStream(job).read():
        numbers[recorded.producer].append(recorded.event.seq)
        last = recorded.position
    count = sum(map(len, numbers.values()))
    is_whole = all(seen == list(range(len(seen))) for seen in numbers.values())
    state = _state_at(job, last)
    is_seen = state is not None and state.latest.events >= count and state.status is expected
    stands = f"{state.status}, {state.latest.events} events" if state else "nothing"
    print(
        f"Check: {job}: {count} events recorded, each {'' if is_whole else 'NOT '}once and in "
        f"order; the page shows {stands}{'' if is_seen else f', but {expected} WAS EXPECTED'}",
        flush=True,
    )
    return is_whole and is_seen


def _verify(job: str) -> bool:
    """Have the command say whether what is recorded of a job is complete and untouched."""
    print(f"synapse-stream verify {job}", flush=True)
    return subprocess.run([*_COMMAND, "verify", job], cwd=_PROJECT, check=False).returncode == 0


def _state_at(job: str, position: Any) -> RunState | None:
    """Return the run state as soon as it has the event at `position`."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        state = JobStream(job).state()
        if state is not None and position is not None and state.position >= position:
            return state
        if time.monotonic() > deadline:
            return state
        time.sleep(0.1)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


if __name__ == "__main__":
    sys.exit(main())
