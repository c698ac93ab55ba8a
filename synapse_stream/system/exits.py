"""How this process is about to exit: the SystemExit that nobody caught, as the interpreter sees it.

Neither `atexit` nor `sys.excepthook` is told. But the interpreter asks that exception for its
`code`, and then no Python code is the caller. So, while somebody watches, `code` is a property that
notes who is asked. Nothing else changes and no exception costs more, which a callback for every
exception that is raised (`sys.monitoring`) would. Python 3.11 does not ask where `sys.exit` was
called and nothing on the way up looked at the exception, so there `sys.exit` is, for that time, a
function that raises the same: under whichever name somebody has it, as its references tell.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from functools import partial
from types import CellType, ModuleType
from typing import Any, NoReturn

_NAMES_OF_MODULE: Any = vars(ModuleType)["__dict__"]
_CHILD_MAIN = "_bootstrap"  # of multiprocessing and its like: the last in a child to see it
_TELLS_EVERY_EXIT = sys.version_info >= (3, 12)


class Exits:
    """Knows with what the interpreter exits, while somebody watches."""

    def __init__(self) -> None:
        self._watchers: set[object] = set()
        self._lock = threading.Lock()
        self._code: Any = None
        self._exit: list[Any] = []  # a list, as who looks for references leaves those alone
        self.error: BaseException | None = None
        """What the process exits with; None as long as it does not."""

    def watch(self, watcher: object) -> None:
        """Watch until `watcher` leaves."""
        with self._lock:
            if not self._watchers:
                self._install()
            self._watchers.add(watcher)

    def leave(self, watcher: object) -> None:
        """Watch no longer for `watcher`; without watchers everything is as it was."""
        with self._lock:
            if self._watchers:
                self._watchers.discard(watcher)
                if not self._watchers:
                    self._remove()

    def leave_to_parent(self) -> None:
        """Start anew in a forked child, where another thread may have held the lock."""
        self._lock = threading.Lock()

    def _install(self) -> None:
        names = _names_of_system_exit()
        if names is not None:
            self._code = names["code"]
            names["code"] = property(self._read, self._code.__set__, self._code.__delete__)
            _forget_types()
        if not _TELLS_EVERY_EXIT:
            self._exit.append(sys.exit)
            _exchange(self._exit, [_EXIT], known=2)  # one of us, one of a copy that `sys` keeps

    def _remove(self) -> None:
        names = _names_of_system_exit()
        if names is not None and self._code is not None:
            names["code"], self._code = self._code, None
            _forget_types()
        self.error = None
        if self._exit:
            _exchange([_EXIT], self._exit, known=2)
            self._exit.clear()

    def _read(self, error: SystemExit) -> Any:
        code = SYSTEM_EXIT_CODE.__get__(error)
        if _asker() in {None, _CHILD_MAIN} and not self._says(code):
            self.error = error
        return code

    def _says(self, code: Any) -> bool:
        """Tell whether the exit is known: a spawned child's main function exits once more."""
        return self.error is not None and SYSTEM_EXIT_CODE.__get__(self.error) == code


SYSTEM_EXIT_CODE: Any = SystemExit.__dict__["code"]
EXITS = Exits()
os.register_at_fork(after_in_child=EXITS.leave_to_parent)


def _asker() -> str | None:
    """Return the name of the function that asks `_read`; None: it is the interpreter itself."""
    try:
        return sys._getframe(2).f_code.co_name  # noqa: SLF001 - inspect would have to be imported for it
    except ValueError:
        return None


def _names_of_system_exit() -> dict[str, Any] | None:
    """Return the attributes of a class that Python does not let one set; None: they are hidden."""
    for found in gc.get_referents(SystemExit.__dict__):
        if type(found) is dict and "code" in found:
            return found
    return None


def _forget_types() -> None:
    """Have the interpreter look attributes up anew: it may remember the one that was there."""
    for name in ("_clear_internal_caches", "_clear_type_cache"):  # the first from 3.13 on
        forget = getattr(sys, name, None)
        if forget is not None:
            forget()
            return


def _raise_exit(status: Any = None, /) -> NoReturn:
    """Exit the interpreter by raising SystemExit(status)."""
    raise SystemExit(status)


_EXIT = partial(_raise_exit)  # as an attribute of a class no method, like the one of `sys`


def _exchange(old: list[Any], new: list[Any], known: int) -> None:
    """Replace `sys.exit` under its name; where it has more references than `known`, under others.

    To look for those takes some ten milliseconds; hardly any plugin has one.
    """
    for module in list(sys.modules.values()):
        if issubclass(type(module), ModuleType):  # cffi's libraries only say that they are modules
            names = _NAMES_OF_MODULE.__get__(module)  # runs no code of a lazy module
            if names is not None and names.get("exit") is old[0]:
                names["exit"] = new[0]
    if sys.getrefcount(old[0]) - 1 > known:
        _rename_aliases(old[0], new[0])


def _rename_aliases(old: Any, new: Any) -> None:
    """Replace it where a module, class, object or inner function has it under another name."""
    for holder in gc.get_referrers(old):
        if type(holder) is CellType:
            holder.cell_contents = new
            continue
        names = _names_of(holder)
        if names is not None and names is not globals() and names.get("__name__") != "sys":
            for name, value in list(names.items()):  # no inner scope: its cell would be a holder
                if value is old:
                    names[name] = new
    _forget_types()


def _names_of(holder: Any) -> dict[Any, Any] | None:
    if type(holder) is dict:
        return holder
    try:
        found = object.__getattribute__(holder, "__dict__")
    except Exception:  # noqa: BLE001 - it has none, or a class of anybody has made it a property
        return None
    return found if type(found) is dict else None
