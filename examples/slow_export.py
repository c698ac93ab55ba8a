"""A plugin that takes its time: it renders a picture of the Mandelbrot set, tile by tile.

synapse-stream run examples.slow_export:ExportTiles --params '{"rows": 4, "pause": 0}'
"""

from __future__ import annotations

import time
from pathlib import Path

from pydantic import BaseModel, Field

from synapse_stream import BaseAction

_PIXELS = 24  # a side of a tile
_DEPTH = 60
_WINDOW = (-2.1, 0.6, -1.2, 1.2)


class ExportParams(BaseModel):
    """What can be set for an export."""

    rows: int = Field(default=40, ge=1, le=200)
    """Tiles a side."""
    pause: float = Field(default=0.5, ge=0)
    """Seconds to rest after each tile."""
    output_dir: Path = Path("tiles")


class ExportTiles(BaseAction[ExportParams]):
    """Render, write and report one tile after another."""

    action_name = "export_tiles"
    params_model = ExportParams

    def execute(self) -> dict[str, int]:
        """Write all tiles as PGM files; return how many bytes they have."""
        rows, home = self.params.rows, self.params.output_dir / str(self.ctx.job_id)
        home.mkdir(parents=True, exist_ok=True)
        self.ctx.log_message(f"Exporting {rows * rows} tiles")
        written = 0
        for number in range(rows * rows):
            began = time.perf_counter()
            row, column = divmod(number, rows)
            depths = render(row, column, rows)
            tile = b"P5 %d %d %d\n" % (_PIXELS, _PIXELS, _DEPTH) + bytes(depths)
            written += (home / f"{row:03}-{column:03}.pgm").write_bytes(tile)
            self._report(number, depths, (time.perf_counter() - began) * 1000)
            time.sleep(self.params.pause)
        self.ctx.log("picture", {"bytes": written}, file=str(home))
        self.ctx.log_message("Exported all tiles", "success")
        return {"bytes": written}

    def _report(self, number: int, depths: list[int], milliseconds: float) -> None:
        rows = self.params.rows
        self.ctx.set_progress(number + 1, rows * rows, step="export")
        inside = depths.count(_DEPTH) / len(depths)
        values = {"inside": inside, "milliseconds": milliseconds}
        self.ctx.set_metrics(values, step="export", x=number)
        self.ctx.log_dev_event("tile", {"number": number, "mean": sum(depths) / len(depths)})
        if (number + 1) % rows == 0:
            self.ctx.log_message(f"Row {(number + 1) // rows} of {rows} is written")


def render(row: int, column: int, rows: int) -> list[int]:
    """Return the depths of a tile's pixels, from 0 to the deepest for those inside the set."""
    left, right, bottom, top = _WINDOW
    side = rows * _PIXELS
    return [
        _escape(
            complex(
                left + (right - left) * (column * _PIXELS + x) / side,
                top - (top - bottom) * (row * _PIXELS + y) / side,
            )
        )
        for y in range(_PIXELS)
        for x in range(_PIXELS)
    ]


def _escape(point: complex) -> int:
    z = 0j
    for depth in range(_DEPTH):
        z = z * z + point
        if abs(z) > 2:  # noqa: PLR2004 - beyond that radius it never comes back
            return depth
    return _DEPTH
