"""`python -m tests.sabotage`: break copies of the tree, and fail if a break goes unnoticed."""

from __future__ import annotations

import argparse
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.sabotage.breaks import Break, all_breaks, copy_tree

_LONGEST_SECONDS = 1800.0  # a test that hangs is ended by its own limit long before
_WHERE = (
    "import importlib.util, sys; print(importlib.util.find_spec(sys.argv[1]).origin, flush=True)"
)
NOTICED, VOID, UNPLAYED = "noticed", "VOID", "unplayed"
_VERDICTS = {1: NOTICED, 0: "UNNOTICED"}  # by what pytest returns when all tests could be run


class Outcome(NamedTuple):
    """What became of one break."""

    one: Break
    verdict: str
    seconds: float
    said: str


def main() -> int:
    """Run the breaks that are asked for; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.sabotage", description=__doc__)
    parser.add_argument("words", nargs="*", help="only breaks whose area or title has such a word")
    parser.add_argument("--some", type=int, help="only so many, by chance")
    parser.add_argument("--seed", default=str(time.time_ns()), help="what the choice follows from")
    parser.add_argument("--within", type=float, help="seconds; what takes longer is left unplayed")
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    chosen = [one for one in all_breaks() if not asked.words or _has(one, asked.words)]
    if asked.some is not None:
        print(f"seed {asked.seed}")
        chosen = random.Random(asked.seed).sample(chosen, min(asked.some, len(chosen)))
    deadline = time.monotonic() + (asked.within or math.inf)
    with ThreadPoolExecutor(asked.at_once) as pool:
        outcomes = []
        for outcome in pool.map(partial(play, deadline=deadline), chosen):
            outcomes.append(outcome)
            print(f"{outcome.verdict:9} {outcome.seconds:5.0f} s  {outcome.one}", flush=True)
    played = [outcome for outcome in outcomes if outcome.verdict != UNPLAYED]
    missed = [outcome for outcome in played if outcome.verdict != NOTICED]
    for outcome in missed:
        print(f"\n{outcome.one}\n  {outcome.one.file}, {outcome.one.notices}:\n{outcome.said}")
    print(f"\n{len(played) - len(missed)} of {len(played)} breaks were noticed")
    return 1 if missed or not outcomes else 0


def play(one: Break, deadline: float = math.inf) -> Outcome:
    """Break a copy of the tree and see whether the tests turn red, if that comes to an end."""
    began = time.monotonic()
    if began >= deadline:
        return Outcome(one, UNPLAYED, 0.0, "")
    with tempfile.TemporaryDirectory(prefix="sabotage-") as folder:
        tree = Path(folder).resolve()
        copy_tree(tree)
        one.apply(tree)
        environment = os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
        package = one.file.partition("/")[0]
        origin = _run([sys.executable, "-c", _WHERE, package], tree, environment)[1].strip()
        if not origin.startswith(str(tree)):
            return Outcome(one, VOID, time.monotonic() - began, f"not active: {origin} was read")
        words = ["-x", "-q", "-p", "no:cacheprovider", "--randomly-dont-reorganize", one.notices]
        code, said = _run([sys.executable, "-m", "pytest", *words], tree, environment, deadline)
    is_late = code < 0 and time.monotonic() >= deadline
    verdict = UNPLAYED if is_late else _VERDICTS.get(code, VOID)
    return Outcome(one, verdict, time.monotonic() - began, f"{said[-2000:]}\nstatus {code}")


def _has(one: Break, words: list[str]) -> bool:
    return any(word in str(one) for word in words)


def _run(
    command: list[str], tree: Path, environment: dict[str, str], deadline: float = math.inf
) -> tuple[int, str]:
    """Run a command in the tree, and end whatever it leaves."""
    longest = min(_LONGEST_SECONDS, max(1.0, deadline - time.monotonic()))
    with subprocess.Popen(
        command,
        cwd=tree,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as running:
        try:
            said, _ = running.communicate(timeout=longest)
        except subprocess.TimeoutExpired:
            said = "it took too long"
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
    return running.returncode, said


if __name__ == "__main__":
    sys.exit(main())
