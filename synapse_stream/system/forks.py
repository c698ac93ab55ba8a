"""Children of multiprocessing and of its like, billiard (celery) and multiprocess (pathos).

They leave by `os._exit`, so `atexit` does nothing for them up to Python 3.12.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_KINDS = ("multiprocessing", "billiard", "multiprocess")
_PRIORITY = 100  # before what is used in reporting goes: queues, managers
_RUNS = "_bootstrap"  # as long as it runs, the code is not known, and what ended the child is
_EXITS = frozenset({"multiprocessing.popen_fork", "multiprocessing.forkserver"})


class ChildExit:
    """Calls back at the end of this process, if it is such a child."""

    def __init__(self) -> None:
        self._calls: dict[object, Callable[[], object]] = {}
        self._is_prepared = False
        self.is_of_pool = False
        """True when the worker of a pool exits: with which status is the pool's affair."""

    def before(self, owner: object, call: Callable[[], object]) -> None:
        """Have `call` called at the end, until `forget`; the last comes first."""
        self._is_prepared = self._is_prepared or self._prepare()
        if self._is_prepared:
            self._calls[owner] = call

    def forget(self, owner: object) -> None:
        """Call back no more."""
        self._calls.pop(owner, None)

    def leave_to_parent(self) -> None:
        """Start anew in a forked child."""
        self._calls.clear()
        self._is_prepared = False

    def _prepare(self) -> bool:
        kinds = [kind for kind in _KINDS if _is_child(sys.modules.get(f"{kind}.process"))]
        for kind in kinds:
            util = import_module(f"{kind}.util")
            util.Finalize(self, self._call_all, exitpriority=_PRIORITY)
        worker = _pool_worker() if "billiard" in kinds else None
        if worker is not None:  # it does not even call finalizers
            worker.on_exit = partial(self._leave_pool, worker.on_exit)
        return bool(kinds)

    def _leave_pool(self, before: Callable[..., object] | None, *given: Any) -> None:
        self.is_of_pool = True
        self._call_all()
        if before is not None:
            before(*given)

    def _call_all(self) -> None:
        for call in reversed(list(self._calls.values())):
            call()


CHILD_EXIT = ChildExit()
os.register_at_fork(after_in_child=CHILD_EXIT.leave_to_parent)


def child_exit_code() -> int:
    """Return what a child of multiprocessing exits with, while it does; else 0.

    From Python 3.13 on it runs `atexit`, and that behind the `except` that handled what ended it.
    """
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - the inspect module would have to be imported for it
    while frame is not None and frame.f_code.co_name != _RUNS:
        if frame.f_globals.get("__name__") in _EXITS:
            code = frame.f_locals.get("code")
            return code if isinstance(code, int) else 0
        frame = frame.f_back
    return 0


def _is_child(process: Any) -> bool:
    """Tell by the module `multiprocessing.process` whether this is a child of it."""
    current = getattr(process, "current_process", None)
    return current is not None and type(current()).__name__ != "_MainProcess"


def _pool_worker() -> Any:
    """Return the worker of a billiard pool that runs us."""
    kind = getattr(sys.modules.get("billiard.pool"), "Worker", None)
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - as above
    while kind is not None and frame is not None:
        found = frame.f_locals.get("self")
        if isinstance(found, kind):
            return found
        frame = frame.f_back
    return None
