"""The files of SQLite: whose they are, and what can be done where they cannot be written."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from consumers.views import names as projections
from consumers.views.opening import open_store
from synapse_stream.settings import Settings
from tests.store.jobs import RUN_STATE, Committer, started
from tests.support.machine import end_lacking

READ = """
import os, sys
from consumers.views.opening import open_views
from synapse_stream.settings import Settings
os.setuid(int(sys.argv[2]))
views = open_views(Settings(data_dir=sys.argv[1]))
print(views.state("job").latest.number)
views.close()
"""
NOBODY = 65534


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a data directory with one job."""
    home = tmp_path / "data"
    before = os.umask(0)
    try:
        store = open_store(Settings(data_dir=home))
        Committer(store, RUN_STATE).commit({"job": [started()]})
        for name in projections():
            store.databases.of(name)
        store.close()
    finally:
        os.umask(before)
    return home


def test_the_files_of_the_views_are_their_users_alone(folder: Path) -> None:
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}

    assert modes.pop("views") == stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert modes
    assert set(modes.values()) == {0o600}


def test_what_cannot_be_written_can_be_read(folder: Path, tmp_path: Path) -> None:
    if os.geteuid():
        end_lacking("not run: only root can become another user")
    tmp_path.chmod(0o755)
    for above in tmp_path.parents:
        if above.stat().st_uid == os.geteuid() and str(above).startswith("/tmp/"):
            above.chmod(above.stat().st_mode | 0o055)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    done = subprocess.run(
        [sys.executable, "-c", READ, str(folder), str(NOBODY)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.returncode) == ("1\n", 0), done.stderr
