from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from synapse_stream.system.exits import SYSTEM_EXIT_CODE, Exits


def is_untouched() -> bool:
    return SystemExit.__dict__["code"] is SYSTEM_EXIT_CODE


def test_an_exit_that_python_code_asks_is_none_of_the_process() -> None:
    exits = Exits()
    exits.watch("a run")
    try:
        assert SystemExit(3).code == 3
        assert exits.error is None
    finally:
        exits.leave("a run")


def test_the_last_watcher_leaves_everything_as_it_was() -> None:
    exits, before = Exits(), sys.exit
    for watcher in (1, 2, 2):
        exits.watch(watcher)
    exits.leave(1)
    assert not is_untouched()
    exits.leave(2)
    exits.leave(2)

    assert is_untouched()
    assert sys.exit is before


def test_a_name_that_a_module_gave_the_exit_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("script")
    module.exit = sys.exit  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "script", module)
    before, exits = sys.exit, Exits()

    exits.watch("a run")
    try:
        with pytest.raises(SystemExit) as raised:
            module.exit(3)
        assert raised.value.code == 3
    finally:
        exits.leave("a run")

    assert module.exit is before


def test_what_else_an_exit_can_do_it_can_while_somebody_watches() -> None:
    exits = Exits()
    exits.watch("a run")
    try:
        error = SystemExit("text")
        error.code = 4
        assert (error.code, error.args) == (4, ("text",))
        del error.code
        assert error.code is None
    finally:
        exits.leave("a run")


class _Odd:
    """As a library of cffi: says that it is a module, and has no names."""

    __slots__ = ()

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return ModuleType


class _Lazy(ModuleType):
    """Loads when it is looked into."""

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        raise ImportError(self.__name__)


@pytest.mark.parametrize("odd", [_Odd(), _Lazy("lazy"), None])
def test_no_odd_module_stands_in_the_way(monkeypatch: pytest.MonkeyPatch, odd: Any) -> None:
    monkeypatch.setitem(sys.modules, "odd", odd)
    exits = Exits()

    exits.watch("a run")
    exits.leave("a run")

    assert is_untouched()
