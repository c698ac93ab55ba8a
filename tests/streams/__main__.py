"""The public conformance suite of the Durable Streams protocol, and our example in TypeScript.

    python -m tests.streams FOLDER

FOLDER has the packages of `package-lock.json`; `make streams` makes it. Every test of the suite
passes, but for those that `not_here.toml` names.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from consumers.api.app import create_app
from synapse_stream import JobStream
from synapse_stream.settings import Settings
from tests.support.servers import TestServer
from tests.support.serving import served

HERE = Path(__file__).parent
EXAMPLE = HERE.parents[1] / "examples" / "durable_streams.ts"
SUITE, OURS = "conformance.test.mjs", "example.test.mjs"
SECONDS = 280
ORIGIN = "https://example.com"  # whose pages the suite asks for
JOB = "from-typescript"


def main(folder: str) -> int:
    """Run both; return 0 when all is as it must be."""
    root = Path(folder).resolve()
    for file in (HERE / SUITE, HERE / OURS, EXAMPLE):
        shutil.copy(file, root)
    with TemporaryDirectory(prefix="streams-") as home, TestServer(Path(home, "server")) as server:
        settings = Settings(
            redis_url=server.url, data_dir=Path(home), spool_memory_bytes=0, api_origins=ORIGIN
        )
        with served(create_app(settings)) as port:
            results = _run(root, f"http://127.0.0.1:{port}")
        kinds = Counter(event.event.type for event in JobStream(JOB, settings).read())
    suite = [(name, passed) for file, name, passed in results if file == SUITE]
    faults = [*_faults(suite), *_faults_of_example(results, kinds)]
    passed = sum(is_so for _, is_so in suite)
    print(f"the public suite: {passed} passed, {len(suite) - passed} ask for what is not here")
    print(*faults, sep="\n")
    print(f"{passed} passed, {len(faults)} failed")
    return int(bool(faults) or not passed)


def _run(root: Path, url: str) -> list[tuple[str, str, bool]]:
    """Return of each test its file, its group and title, and whether it passed."""
    output = root / "results.json"
    output.unlink(missing_ok=True)
    command = ["node", "node_modules/vitest/vitest.mjs", "run", "--reporter=json"]
    subprocess.run(
        [*command, f"--outputFile={output}", "--testTimeout=40000", SUITE, OURS],
        cwd=root,
        env={**os.environ, "STREAMS_URL": url, "JOB": JOB},
        stdout=subprocess.DEVNULL,
        timeout=SECONDS,
        check=False,  # what failed is judged by what it wrote
    )
    found: list[dict[str, Any]] = orjson.loads(output.read_bytes())["testResults"]
    return [
        (
            Path(of_file["name"]).name,
            " > ".join([*test["ancestorTitles"][-1:], test["title"]]),
            test["status"] == "passed",
        )
        for of_file in found
        for test in of_file["assertionResults"]
    ]


def reasons() -> dict[str, list[str]]:
    """Return why tests do not apply, with the patterns of their names."""
    found = tomllib.loads((HERE / "not_here.toml").read_text())
    return {reason["why"]: reason["tests"] for reason in found["reason"]}


def _faults(suite: list[tuple[str, bool]]) -> list[str]:
    failed = {name for name, is_passed in suite if not is_passed}
    patterns = [pattern for tests in reasons().values() for pattern in tests]
    unnamed = [n for n in failed if not any(fnmatchcase(n, pattern) for pattern in patterns)]
    idle = [p for p in patterns if not any(fnmatchcase(name, p) for name in failed)]
    return [
        *(f"failed: {name}" for name in sorted(unnamed)),
        *(f"named in not_here.toml, and nothing fails: {pattern}" for pattern in idle),
    ]


def _faults_of_example(results: list[tuple[str, str, bool]], kinds: Counter[str]) -> list[str]:
    failed = [f"failed: {name}" for file, name, is_so in results if file == OURS and not is_so]
    expected = {"run_started": 1, "progress": 3, "metrics": 3, "message": 1, "end": 1}
    return failed if kinds == expected else [*failed, f"the example recorded {dict(kinds)}"]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
