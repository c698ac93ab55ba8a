"""The SDK's own tests of its loggers, contexts, steps, drivers and actions, with the tee in place.

    python -m tests.sdk.own_tests SDIST

Nothing of them is kept here: they are unpacked to a temporary folder from the newest source
distribution that has them, 2026.2.12; its loggers, context and drivers are those of later ones.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from redis import Redis

from synapse_stream import JobStream, Settings
from synapse_stream.log.server import EmbeddedServer

ROOT = Path(__file__).parents[2]
NAMES = re.compile(r"Logger|RuntimeContext|plugins\.entrypoint|executors")
NEEDS_A_CLUSTER = {"test_pipeline_execution.py"}
LEAST_EVENTS = 100  # else the tee was not in place


def main(sdist: str) -> int:
    """Run them all; return 0 when all have passed and the stream has what they reported."""
    with TemporaryDirectory(prefix="synapse-sdk-tests-") as folder:
        root = Path(folder)
        with tarfile.open(sdist) as archive:
            archive.extractall(root, filter="data")
        (source,) = root.glob("synapse_sdk-*")
        tests = source.rename(root / "source") / "tests"
        chosen = [
            str(path)
            for path in sorted(tests.rglob("test_*.py"))
            if NAMES.search(path.read_text()) and path.name not in NEEDS_A_CLUSTER
        ]
        print(f"{len(chosen)} files of the SDK's tests name a logger, a context or a driver")
        with EmbeddedServer(root / "server") as server:
            code = _pytest(root, chosen, server.url)
            count = _events(Settings(redis_url=server.url, data_dir=root / "data"))
    print(f"{count} events are in the streams of their jobs")
    return code or int(count < LEAST_EVENTS)


def _pytest(root: Path, chosen: list[str], url: str) -> int:
    """Run them apart from the SDK's sources beside them, so that the installed SDK is tested."""
    run = root / "run"
    (root / "source" / "tests").rename(run)
    (root / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\nfilterwarnings = ignore\n")
    ours = {
        "SYNAPSE_STREAM_REDIS_URL": url,
        "SYNAPSE_STREAM_DATA_DIR": str(root / "data"),
        "SYNAPSE_STREAM_MEMORY_DIR": str(root),
        "PYTHONPATH": str(ROOT),
    }
    moved = [name.replace(str(root / "source" / "tests"), str(run)) for name in chosen]
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(
        [*pytest, "-p", "tests.sdk.swapped", *moved], env=os.environ | ours, cwd=root, check=False
    )
    return done.returncode


def _events(settings: Settings) -> int:
    with Redis.from_url(str(settings.redis_url)) as server:
        jobs = [key.decode().partition(":job:")[2] for key in server.scan_iter("*:job:*")]
    return sum(1 for job_id in jobs for _ in JobStream(job_id, settings).read())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
