"""What the guides show works as it stands there, and the site of all pages has no broken link."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.main import get_command

from synapse_stream import JobStream
from synapse_stream.cli.app import app
from synapse_stream.testing import record_run
from tests.support.commands import environment
from tests.support.projecting import project

if TYPE_CHECKING:
    from synapse_stream.settings import Settings

__all__ = ["environment"]

ROOT = Path(__file__).parents[2]
GUIDES = {path.stem: path.read_text() for path in sorted((ROOT / "docs" / "guide").glob("*.md"))}
_SNIPPET = re.compile(r"(?:<!-- needs (\w+) -->\n)?```python\n(.*?)```", re.DOTALL)


def snippets(page: str, needs: str = "") -> list[str]:
    """Return the examples of a page that need one package, or none that is not here."""
    return [code for needed, code in _SNIPPET.findall(GUIDES[page]) if needed == needs]


@pytest.mark.parametrize("page", [page for page in GUIDES if snippets(page)])
def test_the_examples_of_a_guide_run_in_their_order(
    settings: Settings, environment: dict[str, str], page: str
) -> None:
    names: dict[str, Any] = {}
    for code in snippets(page):
        if "JobStream" in code:
            project(settings)
        exec(compile(code, f"{page}.md", "exec"), names)

    for job in re.findall(r'open_run\(\s*"((?:guide|recipe)-[^"]+)"', "".join(snippets(page))):
        *_, end = JobStream(job, settings).read()
        assert end.event.type == "end", job
    if page == "plugins":
        with record_run() as run:
            names["test_training_reports_its_loss"](run)


@pytest.mark.parametrize("page", GUIDES)
def test_every_command_and_setting_of_a_guide_is_there(page: str) -> None:
    group: Any = get_command(app)
    commands = set(re.findall(r"synapse-stream ([a-z]+)", GUIDES[page]))
    known = (ROOT / "synapse_stream" / "settings" / "__init__.py").read_text()
    named = set(re.findall(r"SYNAPSE_STREAM_([A-Z_]+)", GUIDES[page])) - {"ENABLE", "BRIDGES"}

    assert commands <= set(group.commands)
    assert [name for name in named if f"    {name.lower()}:" not in known] == []


def test_the_site_is_built_and_no_link_is_broken(tmp_path: Path) -> None:
    arguments = ["mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    said = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=quiet,
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode == 0, said.stderr
    reference = (tmp_path / "reference" / "index.html").read_text()
    assert 'id="synapse_stream.reporting.run.open_run"' in reference
