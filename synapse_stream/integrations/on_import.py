"""Does something to a module of another library as soon as that is imported, and not before."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    Then = Callable[[ModuleType], object]


def on_import(name: str, then: Then) -> None:
    """Call `then` with the module `name`: now if it is there, else as soon as it was imported.

    What `then` raises is said, and does not reach whoever imports.
    """
    module = sys.modules.get(name)
    if module is not None:
        _call(then, module)
        return
    _WATCH.waiting.setdefault(name, []).append(then)
    if _WATCH not in sys.meta_path:
        sys.meta_path.insert(0, _WATCH)


class _Watch:
    """A finder that finds nothing by itself, but sees what the others find."""

    def __init__(self) -> None:
        self.waiting: dict[str, list[Then]] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return what the next finder knows; its loader tells when the module is there."""
        if name not in self.waiting:
            return None
        for finder in [other for other in sys.meta_path if other is not self]:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                self._have_told(spec.loader, name)
                return spec
        return None

    def _have_told(self, loader: Any, name: str) -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            for then in self.waiting.pop(name, []):
                _call(then, module)

        loader.exec_module = exec_module


_WATCH = _Watch()


def _call(then: Then, module: ModuleType) -> None:
    try:
        then(module)
    except Exception as failure:  # noqa: BLE001 - the plugin goes on without us
        from synapse_stream.saying import voice  # noqa: PLC0415 - at the start of every interpreter

        voice.error(
            "%s was imported, but cannot report to Synapse Stream: %s: %s",
            *(module.__name__, type(failure).__name__, failure),
        )
