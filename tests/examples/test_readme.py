"""What the README shows works as it stands there."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from typer.main import get_command

from synapse_stream import BaseAction
from synapse_stream.cli.app import app
from synapse_stream.testing.views import given, message
from tests.support.projecting import Consumers

if TYPE_CHECKING:
    import pytest

    from synapse_stream.settings import Settings
    from synapse_stream.testing import RecordedRun

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
REPORT, READ, VIEWS, OWN_VIEW, TEST = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def run(code: str, **names: Any) -> dict[str, Any]:
    exec(compile(code, "README.md", "exec"), names)
    return names


def test_the_readme_reports_reads_and_shows_a_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SYNAPSE_STREAM_REDIS_URL", str(settings.redis_url))
    monkeypatch.setenv("SYNAPSE_STREAM_NAMESPACE", settings.namespace)
    monkeypatch.setenv("SYNAPSE_STREAM_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("SYNAPSE_STREAM_EXIT_WAIT_SECONDS", "30")

    run(REPORT)
    run(READ)
    events = capsys.readouterr().out.splitlines()
    with Consumers(settings) as consumers:
        consumers.catch_up()
        names = run(VIEWS)
    shown = capsys.readouterr().out.splitlines()

    assert " run_started " in events[0]
    assert " end " in events[-1]
    assert shown[0] == "100.0"
    assert len(names["loss"]) == 50


def test_the_readme_adds_a_view() -> None:
    job = given(message("odd", "warning", step="load"), message("bad", "warning"), message("fine"))

    assert job.seen_by(run(OWN_VIEW)["WarningsByStep"]).state == {"load": 1, "-": 1}


class TrainParams(BaseModel):
    epochs: int


class TrainAction(BaseAction[TrainParams]):
    """Reports the losses that the README's test expects."""

    action_name = "train"

    def execute(self) -> None:
        for epoch in range(1, self.params.epochs + 1):
            self.ctx.set_metrics({"loss": 0.5**epoch}, x=epoch)


def test_the_readme_s_test_of_a_plugin_passes(
    recorded_run: RecordedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "my_plugin", sys.modules[__name__])
    names = run(TEST)

    names["test_training_reports_its_loss"](recorded_run)
    assert len(recorded_run.events("metrics")) == 2


def test_every_command_and_target_that_the_readme_names_is_there() -> None:
    group: Any = get_command(app)
    commands = set(re.findall(r"synapse-stream ([a-z]+)", README))
    targets = set(re.findall(r"`?make ([a-z]+)", README))

    assert {"up", "watch", "run", "drain"} <= commands <= set(group.commands)
    for target in targets:
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_command_that_shows_views_takes_json_but_those_that_write_files() -> None:
    group: Any = get_command(app)
    shown = README.partition("## Views")[2].partition(
        "Each but `report` and `export` takes `--json`"
    )[0]
    found = {}
    for name, rest in re.findall(r"^    synapse-stream (\w+) (\w*)", shown, re.MULTILINE):
        command = group.commands[name]
        command = getattr(command, "commands", {}).get(rest, command)
        found[name] = any("--json" in parameter.opts for parameter in command.params)

    assert (found.pop("report"), found.pop("export")) == (False, False)
    assert len(found) >= 6
    assert set(found.values()) == {True}


def test_the_action_that_the_readme_runs_is_there() -> None:
    (module, action), *others = re.findall(r"synapse-stream run ([\w.]+):(\w+)", README)

    assert issubclass(getattr(import_module(module), action), BaseAction)
    assert others == []


def test_every_page_that_the_readme_leads_to_is_there() -> None:
    links = re.findall(r"(?<!!)\[[^]]+\]\(([^)]+)\)", README)

    assert "docs/operations.md" in links
    assert [link for link in links if not (ROOT / link).exists()] == []
