"""`make demo`: an embedded server, a real training run through it, and its stream read back.

`make demo ARGS="--epochs 5"` takes less time.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from synapse_stream.log.server import EmbeddedServer

_PROJECT = Path(__file__).parents[1]
_COMMAND = (sys.executable, "-m", "synapse_stream.cli")
_TARGET = "examples.train_digits.plugin:TrainDigits"
_SHOWN = 4


def main() -> int:
    """Run the demo; return the exit code of the training run."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--data-dir", type=Path, default=_PROJECT / ".demo")
    given = parser.parse_args()
    os.environ["SYNAPSE_STREAM_DATA_DIR"] = str(given.data_dir)
    os.environ.pop("SYNAPSE_STREAM_REDIS_URL", None)
    job = f"digits-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    print(f"Starting the embedded server in {given.data_dir}", flush=True)
    with EmbeddedServer(given.data_dir):
        code = _train(job, given.epochs, given.data_dir)
        _read_back(job)
    return code


def _train(job: str, epochs: int, data_dir: Path) -> int:
    params = json.dumps({"epochs": epochs, "output_dir": str(data_dir / "checkpoints")})
    print(f"synapse-stream run {_TARGET} --job-id {job}\n", flush=True)
    command = [*_COMMAND, "run", _TARGET, "--job-id", job, "--params", params]
    # Ctrl-C reaches the training run too, which ends itself; the server must outlive it.
    signal.signal(signal.SIGINT, lambda *_: None)
    training = subprocess.Popen(command, cwd=_PROJECT)
    signal.signal(signal.SIGTERM, lambda *_: training.terminate())
    return training.wait()


def _read_back(job: str) -> None:
    """Print the job's stream: what is in it, how it begins and ends, and whether it is whole."""
    recorded = [json.loads(line) for line in _ask("events", job, "--json")]
    lines = _ask("events", job)
    print(f"\nsynapse-stream events {job}\n")
    width = shutil.get_terminal_size((150, 24)).columns
    print("\n".join(line[:width] for line in lines[:_SHOWN]))
    print(f"… {len(lines) - 2 * _SHOWN} more …")
    print("\n".join(line[:width] for line in lines[-_SHOWN:]))
    counts = Counter(found["event"]["type"] for found in recorded)
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    print(f"\nRead back from the stream: {len(recorded)} events: {kinds}")
    print(_wholeness(recorded))


def _wholeness(recorded: list[dict[str, Any]]) -> str:
    """Check that every producer's numbers run from 0 to its last, each once and in order."""
    numbers = defaultdict(list)
    for found in recorded:
        numbers[found["producer"]].append(found["event"]["seq"])
    broken = [name for name, seen in numbers.items() if seen != list(range(len(seen)))]
    if broken:
        return f"Check: NOT whole: numbers are missing, double or out of order in {broken}"
    ranges = ", ".join(f"0 to {seen[-1]}" for seen in numbers.values())
    return f"Check: every number from {ranges} is there once and in order"


def _ask(*arguments: str) -> list[str]:
    answer = subprocess.run([*_COMMAND, *arguments], capture_output=True, text=True, check=True)
    return answer.stdout.splitlines()


if __name__ == "__main__":
    sys.exit(main())
