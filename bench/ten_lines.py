"""`python -m bench.ten_lines`: a process that reports ten lines and ends.

With an argument it writes to that file how much shared memory they took.
"""

from __future__ import annotations

import sys

from synapse_stream import open_run

with open_run("ten-lines") as run:
    for number in range(10):
        run.log_message(f"line {number}")
    if len(sys.argv) > 1:
        from pathlib import Path

        from bench.idle import shared_bytes
        from synapse_stream import Settings

        Path(sys.argv[1]).write_text(str(shared_bytes(Settings.load())), encoding="utf-8")
