"""Our packages are found whatever else bears their names."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from synapse_stream.ports.own import find_consumers, program

if TYPE_CHECKING:
    from pathlib import Path

LOUD = "import sys\nprint('NOT OURS', file=sys.stderr)\nraise SystemExit(7)\n"


@pytest.fixture(params=["consumers.py", "consumers/__init__.py", "consumers/__main__.py"])
def shadow(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Put a module of our name where Python looks first."""
    file = tmp_path / request.param
    file.parent.mkdir(exist_ok=True)
    file.write_text(LOUD)
    (tmp_path / "synapse_stream.py").write_text(LOUD)
    return tmp_path


def run(command: list[str], shadow: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=shadow,
        env={**os.environ, "PYTHONPATH": str(shadow), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_program_of_ours_is_not_that_of_the_current_directory(shadow: Path) -> None:
    done = run(program("consumers", "--help"), shadow)

    assert "NOT OURS" not in done.stderr
    assert (done.returncode, "run-state" in done.stdout) == (0, True)


def test_views_are_read_by_our_package(shadow: Path) -> None:
    (shadow / "synapse_stream.py").unlink()
    code = (
        "from synapse_stream.ports.own import find_consumers\nfind_consumers()\n"
        "import consumers, consumers.errors\nprint(consumers.__file__)"
    )
    done = run([sys.executable, "-c", code], shadow)

    assert "NOT OURS" not in done.stderr
    assert str(shadow) not in done.stdout
    assert done.returncode == 0, done.stderr


def test_a_module_that_was_imported_before_is_named(tmp_path: Path) -> None:
    (tmp_path / "consumers.py").write_text("theirs = True\n")
    code = (
        "import consumers\nassert consumers.theirs\n"
        "from synapse_stream.ports.own import find_consumers\nfind_consumers()"
    )
    done = run([sys.executable, "-c", code], tmp_path)

    assert done.returncode == 1
    assert f"{tmp_path}/consumers.py stands in the way" in done.stderr


def test_our_own_that_was_imported_before_stays() -> None:
    import consumers

    find_consumers()

    assert sys.modules["consumers"] is consumers
