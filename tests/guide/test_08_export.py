"""Export: runs as files: exact ones that can be imported, and extracts for other tools."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from synapse_stream import JobStream, open_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from tests.support.commands import Said


def test_an_exact_export_is_imported_elsewhere_with_every_position(
    command: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_run("job-42") as ctx:
        ctx.log_message("hello")
    file = str(tmp_path / "job-42.jsonl.zst")
    assert command("export", "job-42", "-o", file).code == 0
    here = list(JobStream("job-42").read())

    monkeypatch.setenv("SYNAPSE_STREAM_NAMESPACE", "elsewhere")
    monkeypatch.setenv("SYNAPSE_STREAM_DATA_DIR", str(tmp_path / "elsewhere"))
    assert command("import", file).code == 0

    assert list(JobStream("job-42").read()) == here


def test_metrics_go_into_a_table(command: Callable[..., Said], tmp_path: Path) -> None:
    with open_run("job-42") as ctx:
        for epoch in (1, 2):
            ctx.set_metrics({"loss": 1 / epoch}, step="training")
    file = tmp_path / "job-42.csv"

    assert command("export", "job-42", "-o", str(file)).code == 0

    with file.open() as lines:
        rows = list(csv.DictReader(lines))
    assert [row["type"] for row in rows] == ["run_started", "metrics", "metrics", "end"]
