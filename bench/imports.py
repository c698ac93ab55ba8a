"""What importing us costs a plugin, against importing redis and pydantic."""

from __future__ import annotations

import compileall
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import synapse_stream
from bench.figures import Bound, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.stage import Stage

YARDSTICK = "import redis, pydantic"


def rows(stage: Stage) -> Iterator[Row]:
    """CPU time of the import statement alone, in fresh interpreters in turns."""
    statements = ("import synapse_stream", "from synapse_stream import open_run", YARDSTICK)
    compile_package()
    took: dict[str, list[float]] = {statement: [] for statement in statements}
    for _ in range(2 * stage.scale.rounds):
        for statement in statements:
            took[statement].append(_import_ms(statement))
    for statement in statements[:-1]:
        bound = Bound(0.5, on="ratio")
        yield Row(statement, "ms CPU", took[statement], took[YARDSTICK], YARDSTICK, bound)


def compile_package() -> None:
    """Write the byte code of ours, as an installation does; that of the yardstick is there."""
    compileall.compile_dir(Path(synapse_stream.__file__).parent, quiet=2)


def _import_ms(statement: str) -> float:
    program = (
        f"import time; start = time.process_time(); {statement}; "
        "print((time.process_time() - start) * 1000)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return float(ran.stdout)
