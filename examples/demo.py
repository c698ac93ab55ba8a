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
        is_whole = _read_back(job)
    return code if is_whole else 1


def _train(job: str, epochs: int, data_dir: Path) -> int:
    params = json.dumps({"epochs": epochs, "output_dir": str(data_dir / "checkpoints")})
    print(f"synapse-stream run {_TARGET} --job-id {job}\n", flush=True)
    command = [*_COMMAND, "run", _TARGET, "--job-id", job, "--params", params]
    # Ctrl-C reaches the training run too, which ends itself; the server must outlive it.
    signal.signal(signal.SIGINT, lambda *_: None)
    training = subprocess.Popen(command, cwd=_PROJECT)
    signal.signal(signal.SIGTERM, lambda *_: training.terminate())
    return training.wait()


def _read_back(job: str) -> bool:
    """Print the job's stream: how it begins and ends, what is in it; tell whether it is whole."""
    recorded = [json.loads(line) for line in _ask("events", job, "--json")]
    lines = _ask("events", job)
    print(f"\nsynapse-stream events {job}\n")
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print("\n".join(line[:width] for line in lines[:_SHOWN]))
    print(f"… {len(lines) - 2 * _SHOWN} more …")
    print("\n".join(line[:width] for line in lines[-_SHOWN:]))
    counts = Counter(found["event"]["type"] for found in recorded)
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    print(f"\nRead back from the stream: {len(recorded)} events: {kinds}")
    return _check(recorded)


def _check(recorded: list[dict[str, Any]]) -> bool:
    """Tell whether every producer's numbers run from 0 to its last, each once and in order."""
    numbers = defaultdict(list)
    for found in recorded:
        numbers[found["producer"]].append(found["event"]["seq"])
    is_whole = all(seen == list(range(len(seen))) for seen in numbers.values())
    ranges = ", ".join(f"0 to {max(seen)}" for seen in numbers.values())
    verdict = "is there once and in order" if is_whole else "should be there, but is NOT"
    print(f"Check: every number from {ranges} {verdict}")
    return is_whole


def _ask(*arguments: str) -> list[str]:
    answer = subprocess.run([*_COMMAND, *arguments], stdout=subprocess.PIPE, text=True, check=False)
    if answer.returncode:
        sys.exit(answer.returncode)
    return answer.stdout.splitlines()


if __name__ == "__main__":
    sys.exit(main())
