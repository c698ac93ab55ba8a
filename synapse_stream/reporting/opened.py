"""An open run of this process, ended however the process leaves it."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import weakref
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synapse_stream import __version__
from synapse_stream.loggers.endings import ending, exit_ending
from synapse_stream.loggers.termination import TERMINATION
from synapse_stream.models import RunStatus
from synapse_stream.reporting.context import RuntimeContext
from synapse_stream.saying import voice
from synapse_stream.system.exits import EXITS
from synapse_stream.system.forks import CHILD_EXIT, child_exit_code
from synapse_stream.system.revision import revision

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from types import TracebackType

    from synapse_stream.loggers.endings import Ending

_SETTLE_SECONDS = 5.0

_runs: weakref.WeakSet[OpenRun] = weakref.WeakSet()
_open: list[OpenRun] = []


def newest_run() -> OpenRun | None:
    """Return the run that was opened last of those that are open here.

    In a forked child also one of its parent's, to which it reports as a child.
    """
    return _open[-1] if _open else None


def end_older(key: Hashable) -> None:
    """End the run that this process has open under `key`, as a notebook whose cell is run again.

    It failed, if an exception was reported since; else it is CANCELLED.
    """
    for run in list(_runs):
        if run.key == key:
            run.make_way()


class OpenRun(RuntimeContext):
    """A run of this process, which also a signal and the interpreter's exit end.

    While it is open, SIGTERM and SIGHUP raise `Terminated` in the main thread, unless somebody else
    handles them. What nothing has ended by the interpreter's exit ends as the process did: by its
    exit status, or by the exception that ended it.

    Args:
        key: what no two open runs of a process have in common; None: it has none.
        settle_seconds: longest wait for the server when a signal has come.
    """

    def __init__(
        self,
        logger: Any,
        *,
        key: Hashable = None,
        settle_seconds: float = _SETTLE_SECONDS,
        **given: Any,
    ) -> None:
        super().__init__(logger, **given)
        self.key = key
        self._settle_seconds = settle_seconds
        self._errors_before = (_last_error(), sys.exc_info()[1])
        TERMINATION.catch(self)
        EXITS.watch(self)
        atexit.register(self._end_at_exit)
        CHILD_EXIT.before(self, self._end_at_exit)
        _open.append(self)
        if key is not None:
            _runs.add(self)

    def record_start(
        self,
        action: str | type[Any] | None,
        params: Any,
        rank: int,
        attempt: int | None,
        labels: Mapping[str, Any] | None,
    ) -> None:
        """Record `run_started`."""
        fields = {
            "action": None if action is None else _name_of(action),
            "plugin": _plugin_of(action),
            "host": os.uname().nodename,
            "pid": os.getpid(),
            "rank": rank,
            "attempt": attempt,
            "python": sys.version.partition(" ")[0],
            "sdk": _sdk_versions(),
            "code": _revision_here(),
            "machine": _machine(),
            "params": _redacted(params),
            "labels": _redacted(dict(labels or {})),
        }
        self._logger.report("run_started", None, fields)

    def end_log(
        self,
        status: RunStatus | str | None = None,
        error: str | BaseException | None = None,
        result: Any = None,
    ) -> None:
        """End the run; a second call changes nothing. Later reports raise RunEnded."""
        try:
            super().end_log(status, error, result)
        finally:
            self._let_go()

    def mark_signal(self, name: str) -> None:
        """Remember that the process was asked to end."""
        self._logger.mark_signal(name)

    def note_signal(self, name: str) -> None:
        """Report that the process was asked to end."""
        self._logger.note_signal(name)

    def settle(self) -> None:
        """Wait a bounded time until what was reported has arrived."""
        self.flush(self._settle_seconds)

    def make_way(self) -> None:
        """End because this process opens the same run again."""
        error = self._new_last_error()
        self._leave((RunStatus.CANCELLED, "opened again") if error is None else ending(error))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        try:
            super().__exit__(kind, error, where)
        finally:
            self._let_go()

    def _end_at_exit(self) -> None:
        self._leave(self._ending_of_process())

    def _leave(self, how: Ending) -> None:
        try:
            self._logger.leave(how)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        if self._logger.has_ended:  # also when Ctrl-C has cut the wait for the server short
            atexit.unregister(self._end_at_exit)
            TERMINATION.release(self)
            EXITS.leave(self)
            CHILD_EXIT.forget(self)
            _runs.discard(self)
            with suppress(ValueError):  # it has let go before
                _open.remove(self)

    def _ending_of_process(self) -> Ending:
        if CHILD_EXIT.is_of_pool:
            return exit_ending(None)
        error = sys.exc_info()[1] if EXITS.error is None else EXITS.error
        if error is None or error is self._errors_before[1]:
            error = None if hasattr(sys, "ps1") else self._new_last_error()
        if error is not None and not isinstance(error, SystemExit):
            return ending(error)
        how = exit_ending(child_exit_code()) if error is None else ending(error)
        # What becomes of Ctrl-C is click's affair, or that of a child's last functions.
        is_answer = how[0] is RunStatus.FAILED and TERMINATION.has_heard(signal.SIGINT)
        return ending(KeyboardInterrupt()) if is_answer else how

    def _new_last_error(self) -> BaseException | None:
        error = _last_error()
        return None if error is self._errors_before[0] else error


def _leave_runs_to_parent() -> None:
    _runs.clear()


os.register_at_fork(after_in_child=_leave_runs_to_parent)


def _last_error() -> BaseException | None:
    """Return the exception that the interpreter itself has reported last."""
    error = getattr(sys, "last_exc", None)  # new in 3.12
    return error if error is not None else getattr(sys, "last_value", None)


def _redacted(value: Any) -> Any:
    if not value:
        return value
    try:
        from synapse_stream.redaction import redact  # noqa: PLC0415 - 10 ms that few runs need

        return redact(value)
    except OSError as error:  # no file can be opened: rather none of it than a secret
        voice.warn("what the run is started with is not recorded: %s", error)
        return {}


def _revision_here() -> dict[str, str] | None:
    """Return the revision of where the process was started, or has gone to since."""
    try:
        return revision(Path.cwd())
    except OSError:  # the folder is gone
        return None


def _machine() -> dict[str, Any]:
    told = os.uname()
    system = f"{told.sysname} {told.release}"
    return {"system": system, "architecture": told.machine, "cpus": os.cpu_count()}


def _name_of(action: str | type[Any]) -> str:
    """Return the name of an action, which the Synapse SDK lets be None."""
    given = action if isinstance(action, str) else getattr(action, "action_name", None)
    return str(given or getattr(action, "__name__", action))


def _plugin_of(action: str | type[Any] | None) -> str:
    """Return the distribution that an action comes from, else its module or script."""
    module = action.__module__ if isinstance(action, type) else "__main__"
    if module == "__main__":
        main = sys.modules["__main__"]
        spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
        if spec is None:
            return Path(file).stem if file else module
        module = spec.name
    try:
        from importlib import metadata  # noqa: PLC0415 - 10 ms that not every import must take

        return metadata.distribution(module.partition(".")[0]).metadata["Name"]
    except Exception:  # noqa: BLE001 - what other packages left in the environment must not stop a run
        return module


def _sdk_versions() -> dict[str, str]:
    versions = {"synapse-stream": __version__}
    if "synapse_sdk" in sys.modules:
        with suppress(Exception):  # as above
            from importlib import metadata  # noqa: PLC0415 - as above

            versions["synapse-sdk"] = metadata.version("synapse-sdk")
    return versions
