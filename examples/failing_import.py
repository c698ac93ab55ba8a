"""A plugin that ends with an error: an import of measurements that meets a row it cannot take.

synapse-stream run examples.failing_import:ImportRows --params '{"broken": null}'
"""

from __future__ import annotations

import csv
import io
import random
import time

from pydantic import BaseModel, Field

from synapse_stream import BaseAction

_NORMAL = (18.0, 24.0)


class ImportParams(BaseModel):
    """What can be set for an import."""

    rows: int = Field(default=400, ge=1)
    broken: int | None = 290
    """Row that is no measurement; None: all are good."""
    pause: float = Field(default=0.02, ge=0)
    """Seconds that a row takes."""
    seed: int = 0


class ImportRows(BaseAction[ImportParams]):
    """Read, check and add up rows."""

    action_name = "import_rows"
    params_model = ImportParams

    def execute(self) -> dict[str, float]:
        """Return the mean of all rows."""
        self.ctx.log_message(f"Importing {self.params.rows} rows")
        total = 0.0
        for number, row in enumerate(csv.reader(io.StringIO(self._file())), 1):
            value = self._parse(number, row)
            total += value
            self.ctx.set_progress(number, self.params.rows, step="import")
            self.ctx.set_metrics({"celsius": value, "mean": total / number}, x=number)
            time.sleep(self.params.pause)
        self.ctx.log_message("Imported all rows", "success")
        return {"mean": total / self.params.rows}

    def _parse(self, number: int, row: list[str]) -> float:
        sensor, text = row
        try:
            value = float(text)
        except ValueError as error:
            self.ctx.set_progress_failed("import", f"row {number}: {text!r} is no temperature")
            self.ctx.log_message(f"Row {number} of sensor {sensor} cannot be read", "danger")
            msg = f"row {number} of sensor {sensor} holds {text!r} in place of a temperature"
            raise ValueError(msg) from error
        low, high = _NORMAL
        if not low <= value <= high:
            self.ctx.log_message(f"Row {number}: {value} °C of sensor {sensor} is odd", "warning")
        return value

    def _file(self) -> str:
        """Return what a logger of temperatures might have written."""
        chance = random.Random(self.params.seed)  # noqa: S311 - makes measurements, no secrets
        rows = [
            f"{chance.choice('ABC')},{chance.gauss(21, 1.1):.2f}" for _ in range(self.params.rows)
        ]
        if self.params.broken is not None and self.params.broken <= len(rows):
            rows[self.params.broken - 1] = "B,#REF!"
        return "\n".join(rows)
