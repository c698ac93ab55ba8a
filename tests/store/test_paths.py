"""Folders of SQLite files, whatever their names hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumers.views.opening import open_store, open_views
from synapse_stream.settings import Settings
from tests.store.jobs import RUN_STATE, Committer, started

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ["a b", "a%2Fb", "a?b=1", "a#b", "a&b;c", "한국어", "a'b\"c", "a:b", "-x", "a\nb", "%s %d"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("by_url", [False, True])
def test_the_files_lie_in_the_folder_that_was_named_and_nowhere_else(
    name: str, by_url: bool, tmp_path: Path
) -> None:
    folder = tmp_path / name
    store_url = f"sqlite:///{folder}/views" if by_url else None
    settings = Settings(data_dir=folder, store_url=store_url)
    store = open_store(settings)
    Committer(store, RUN_STATE).commit({"job": [started()]})
    store.close()

    views = open_views(settings)
    assert views.state("job") is not None
    views.close()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert "run-state.db" in {path.name for path in (folder / "views").iterdir()}
