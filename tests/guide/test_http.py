"""What `docs/http.md` says is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from typer.main import get_command

from consumers.api.tokens import Limits
from synapse_stream.cli.app import app
from synapse_stream.remote.tokens import LONGEST_SECONDS, Claims
from synapse_stream.settings import PREFIX, Settings

GUIDE = (Path(__file__).parents[2] / "docs" / "http.md").read_text()


def test_every_claim_is_named_and_no_other() -> None:
    table = re.findall(r"^\| (`.+?`) \|", GUIDE, re.MULTILINE)
    named = {name for row in table for name in re.findall(r"`(\w+)`", row)}

    assert named == {field.alias or name for name, field in Claims.model_fields.items()}
    assert f"{LONGEST_SECONDS // 86_400} days ahead" in GUIDE
    usual = Limits()
    assert f"{usual.bytes_per_second >> 20} MiB and {usual.open_jobs:,} jobs a minute" in GUIDE


def test_the_commands_and_settings_that_it_shows_are_there() -> None:
    group: Any = get_command(app)
    shown = re.findall(r"^    synapse-stream (\w+) ([^#\n]+)", GUIDE, re.MULTILINE)
    options = {
        option
        for command, words in shown
        for option in re.findall(r"--\w+", words)
        if option not in {o for p in group.commands[command].params for o in p.opts}
    }

    assert len(shown) >= 3
    assert options == set()
    named = set(re.findall(rf"{PREFIX}(\w+)", GUIDE))
    assert named <= {name.upper() for name in Settings.model_fields}
    assert {"URL", "TOKEN", "CA_FILE", "TOKEN_SECRET"} <= named
