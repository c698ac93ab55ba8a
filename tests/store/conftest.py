"""Every contract of the store holds on SQLite, on PostgreSQL, and on one behind a pooler."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumers.views.opening import open_store, open_views
from synapse_stream.settings import Settings
from tests.support.pgbouncer import pooler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from consumers.store.store import Store
    from consumers.views.reader import StoredViews

__all__ = ["pooler"]


@pytest.fixture(params=["sqlite", "postgres", "pooler"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Name a store that no other test uses."""
    if request.param == "sqlite":
        yield Settings(data_dir=tmp_path)
        return
    with request.getfixturevalue("postgres").lend() as url:
        is_pooled = request.param == "pooler"
        store_url = request.getfixturevalue("pooler").through(url) if is_pooled else url
        yield Settings(data_dir=tmp_path, store_url=store_url)


@pytest.fixture
def new_store(settings: Settings) -> Iterator[Callable[[], Store]]:
    """Open the store of `settings` as often as it is called: each is another process's."""
    opened: list[Store] = []

    def open_another() -> Store:
        opened.append(open_store(settings))
        return opened[-1]

    yield open_another
    for store in opened:
        store.close()


@pytest.fixture
def store(new_store: Callable[[], Store]) -> Store:
    """Open the store of `settings`."""
    return new_store()


@pytest.fixture
def views(settings: Settings) -> Iterator[StoredViews]:
    """Read the views of `settings`."""
    opened = open_views(settings)
    yield opened
    opened.close()
