"""docs/operations.md names what there is: every setting, every metric, every command."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from typer.main import get_command

from consumers.api.app import create_app
from synapse_stream.cli.app import app
from synapse_stream.settings import Settings
from tests.support.serving import asked

OPERATIONS = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()


def rows(header: str) -> list[list[str]]:
    """Return the cells of the table whose header begins so."""
    table = OPERATIONS.split(f"\n| {header} |")[1].split("\n\n")[0]
    return [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]
    ]


def test_every_setting_is_in_the_table() -> None:
    named = [name for row in rows("setting") for name in re.findall(r"`([A-Z_]+)`", row[0])]

    assert sorted(named) == sorted(name.upper() for name in Settings.model_fields)


def test_every_metric_of_ours_has_an_alert_and_what_to_do(settings: Settings) -> None:
    with asked(create_app(settings)) as client:
        client.get("/api/jobs")
        families = list(text_string_to_metric_families(client.get("/metrics").text))
    table = rows("metric")
    documented = [row[0].strip("`").removesuffix("_total") for row in table]
    names = {family.name for family in families}
    samples = {sample.name for family in families for sample in family.samples}
    used = set(re.findall(r"synapse_stream_\w+", " ".join(row[1] for row in table)))

    ours = {name for name in names if re.match(r"synapse_stream_\w+(?<!_created)$", name)}
    assert sorted(documented) == sorted(ours)
    assert used <= samples
    assert all(len(row) == 3 and row[1] and row[2] for row in table)


def test_every_command_that_is_named_is_there() -> None:
    group: Any = get_command(app)
    named = set(re.findall(r"synapse-stream ([a-z]+)", OPERATIONS))

    assert named
    assert named <= set(group.commands)
