from __future__ import annotations

import sys
from importlib import import_module
from itertools import count
from typing import TYPE_CHECKING

import pytest

from synapse_stream.integrations.on_import import on_import

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

_numbers = count()


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name a module that nobody has imported."""
    name = f"library_of_test_{next(_numbers)}"
    (tmp_path / f"{name}.py").write_text("answer = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_it_is_done_right_behind_the_import_and_once(library: str) -> None:
    seen: list[int] = []
    on_import(library, lambda module: seen.append(module.answer))
    on_import(library, lambda module: seen.append(-module.answer))
    assert seen == []

    module = import_module(library)
    import_module(library)

    assert seen == [42, -42]
    assert module.__spec__ is not None
    assert module.__spec__.origin == module.__file__


def test_it_is_done_at_once_where_the_module_is_there(library: str) -> None:
    seen: list[ModuleType] = []
    module = import_module(library)

    on_import(library, seen.append)

    assert seen == [module]


def test_what_it_raises_does_not_reach_whoever_imports(
    library: str, caplog: pytest.LogCaptureFixture
) -> None:
    on_import(library, lambda module: module.nothing)

    assert import_module(library).answer == 42
    assert f"{library} was imported, but cannot report to Synapse Stream" in caplog.text


def test_a_module_that_is_not_there_is_none_and_others_are_found(library: str) -> None:
    on_import("no_such_library", print)

    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        import_module("no_such_library")
    assert import_module(library).answer == 42
    assert library in sys.modules
