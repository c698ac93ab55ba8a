"""What a tee costs beside the call of the Synapse SDK's `JobLogger` that it makes as well."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import Bound, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.stage import Stage

ROOT = Path(__file__).parents[1]
PYTHON = ROOT / ".sdk" / "bin" / "python"
AT_MOST = Bound(5.0, on="ours")


def rows(stage: Stage) -> Iterator[Row]:
    """A row a kind of call: what the tee adds to it, and what it costs alone."""
    what, against = "a JobLogger's {}: the tee adds, median", "JobLogger"
    if not PYTHON.exists():
        yield Row(what.format("calls"), "µs", against=against, void="`make sdk` installs the SDK")
        return
    settings = stage.settings()
    ours = {
        "SYNAPSE_STREAM_REDIS_URL": str(settings.redis_url),
        "SYNAPSE_STREAM_DATA_DIR": str(settings.data_dir),
    }
    scale = [str(stage.scale.calls // 5), str(stage.scale.rounds)]
    command = [str(PYTHON), "-W", "ignore", "-m", "bench.tee_calls", *scale]
    done = subprocess.run(
        command, env=os.environ | ours, cwd=ROOT, capture_output=True, text=True, check=True
    )
    for line in done.stdout.splitlines():
        found = json.loads(line)
        alone = [took / 1_000 for took in found["alone"]]
        tee = [took / 1_000 for took in found["tee"]]
        adds = [both - one for both, one in zip(tee, alone, strict=True)]
        yield Row(what.format(found["call"]), "µs", adds, alone, against, AT_MOST)
