"""Open a run, and end it however the process leaves it."""

from __future__ import annotations

import atexit
import os
import platform
import re
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synapse_stream import __version__
from synapse_stream.context import RuntimeContext
from synapse_stream.environment import PluginEnvironment
from synapse_stream.errors import LogUnavailable
from synapse_stream.loggers.endings import TERMINATION, Terminated, ending
from synapse_stream.loggers.many import ManyLogger
from synapse_stream.models import RunStatus
from synapse_stream.redaction import redact
from synapse_stream.settings import Settings

if TYPE_CHECKING:
    from synapse_stream.loggers.base import BaseLogger

LONGEST_JOB_ID = 200

_CHOICES = ("spool", "raise")

# White space, control and invisible characters, halves of surrogate pairs; slashes, which would
# change the path of the HTTP API, and braces, which have a meaning in the keys of a Redis Cluster.
_NOT_IN_JOB_ID = re.compile(
    r"[\s{}/\\\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
_BASE_32 = "0123456789abcdefghjkmnpqrstvwxyz"


def open_run(
    job_id: str | None = None,
    *,
    action: str | type[Any] | None = None,
    params: Any = None,
    rank: int = 0,
    attempt: int | None = None,
    labels: Mapping[str, Any] | None = None,
    env: PluginEnvironment | Mapping[str, Any] | None = None,
    checkpoint: dict[str, Any] | None = None,
    client: Any = None,
    agent_client: Any = None,
    console: bool = False,
    on_unavailable: str = "spool",
    strict: bool | None = None,
    settings: Settings | None = None,
) -> RuntimeContext:
    """Start reporting to a job's stream; leaving the returned context ends the run.

    Args:
        job_id: the job; None: that of the settings, else a new one that sorts by time.
        action: what is run, an action class or a name.
        params: what it is run with; recorded with secrets masked.
        rank: number of this process among those that report to the job; the run ends when rank 0
            ends.
        attempt: number of this attempt, from 1; None: one more than the stream has seen.
        labels: what to find the run by; recorded like `params`.
        env: environment of the plugin; None: the environment variables.
        checkpoint: where the plugin starts from: `{"category": …, "path": …}`.
        client: client of the backend, for the plugin's own use.
        agent_client: client of the agent, for the plugin's own use.
        console: show the run in the terminal as well.
        on_unavailable: without a server "spool" starts all the same and says where events wait;
            "raise" does not.
        strict: wrong values of report calls raise, instead of costing themselves only; None: as the
            settings say.
        settings: None: from the environment variables `SYNAPSE_STREAM_*`.

    Raises:
        ValueError: an argument is not allowed.
        ConfigError: a setting is wrong, or the server holds a deployment that is not ours.
        LogUnavailable: there is no server, and `on_unavailable` is "raise".
    """
    _check("on_unavailable", on_unavailable, on_unavailable in _CHOICES, " or ".join(_CHOICES))
    _check("rank", rank, rank >= 0, "a number from 0")
    _check("attempt", attempt, attempt is None or attempt >= 1, "a number from 1, or None")
    _check("labels", labels, labels is None or isinstance(labels, Mapping), "a mapping")
    settings = settings or Settings.load()
    if strict is not None:
        settings = settings.model_copy(update={"strict": strict})
    job_id = job_id if job_id is not None else settings.job_id
    if job_id is None:
        _check("job_id", job_id, rank == 0, f"the job of rank 0, as this is rank {rank}")
        job_id = make_job_id()
    check_job_id(job_id)
    environment = PluginEnvironment.of(env)
    beside = _console(job_id, environment) if console else []
    run = OpenRun(
        _open_loggers(job_id, settings, rank, on_unavailable, beside),
        env=environment,
        job_id=job_id,
        client=client,
        agent_client=agent_client,
        checkpoint=checkpoint,
    )
    run.record_start(action, params, rank, attempt, labels)
    return run


def check_job_id(job_id: Any) -> None:
    """See that `job_id` can stand in a key, a path and a terminal.

    Raises:
        ValueError: it cannot; the message says what is allowed.
    """
    is_good = (
        isinstance(job_id, str)
        and 0 < len(job_id) <= LONGEST_JOB_ID
        and _NOT_IN_JOB_ID.search(job_id) is None
        and job_id not in {".", ".."}
    )
    allowed = f"1 to {LONGEST_JOB_ID} visible characters without white space, braces and slashes"
    _check("job_id", job_id, is_good, allowed)


def make_job_id() -> str:
    """Return a new job id that sorts by time, as in `20251123-161905-7mx2p8r` (UTC)."""
    random = "".join(_BASE_32[byte % 32] for byte in os.urandom(7))
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{random}"


class OpenRun(RuntimeContext):
    """A run of this process, which also SIGTERM and the interpreter's exit end.

    While it is open, SIGTERM raises `Terminated` in the main thread, unless somebody else handles
    the signal. What nothing has ended by the interpreter's exit ends as the process did: FAILED or
    CANCELLED by the exception that ended it, else COMPLETED.
    """

    def __init__(self, logger: Any, **given: Any) -> None:
        super().__init__(logger, **given)
        self._error_before = _last_error()
        TERMINATION.catch(self)
        atexit.register(self._end_at_exit)

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
            "action": None if action is None else str(getattr(action, "action_name", action)),
            "plugin": _plugin_of(action),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "rank": rank,
            "attempt": attempt,
            "python": platform.python_version(),
            "sdk": _sdk_versions(),
            "params": redact(params),
            "labels": redact(dict(labels or {})),
        }
        self._logger.report("run_started", None, fields)

    def end_log(
        self,
        status: RunStatus | str = RunStatus.COMPLETED,
        error: str | BaseException | None = None,
        result: Any = None,
    ) -> None:
        """End the run; a second call changes nothing. Later reports raise RunEnded."""
        try:
            super().end_log(status, error, result)
        finally:  # Ctrl-C may cut the wait for the server short
            if self._logger.has_ended:
                atexit.unregister(self._end_at_exit)
                TERMINATION.release(self)

    def _end_at_exit(self) -> None:
        error = _last_error()
        if TERMINATION.has_arrived:
            error = Terminated()
        elif error is self._error_before or hasattr(sys, "ps1"):
            error = None  # an old one, or one of a prompt, where errors end no process
        status, text = ending(error)
        self.end_log(status, text)


def _open_loggers(
    job_id: str, settings: Settings, rank: int, on_unavailable: str, beside: list[BaseLogger]
) -> BaseLogger:
    from synapse_stream.loggers.stream import StreamLogger  # noqa: PLC0415 - brings redis

    stream = StreamLogger(job_id, settings, rank=rank)
    try:
        stream.wait_ready(settings.connect_seconds)
    except BaseException as error:
        may_wait = isinstance(error, LogUnavailable) and on_unavailable == "spool"
        if not may_wait:  # else the shipper has said what is wrong and where events wait
            stream.close()
            raise
    return ManyLogger(stream, *beside) if beside else stream


def _console(job_id: str, env: PluginEnvironment) -> list[BaseLogger]:
    from synapse_stream.loggers.console import ConsoleLogger  # noqa: PLC0415 - seldom wanted

    return [ConsoleLogger(job_id, debug=env.debug)]


def _check(name: str, value: object, is_good: bool, allowed: str) -> None:  # noqa: FBT001 - a condition, not a flag
    if not is_good:
        msg = f"{name}={value!r} is not allowed; expected {allowed}"
        raise ValueError(msg)


def _last_error() -> BaseException | None:
    """Return the exception that the interpreter itself has reported last."""
    error = getattr(sys, "last_exc", None)  # new in 3.12
    return error if error is not None else getattr(sys, "last_value", None)


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
        return metadata.distribution(module.partition(".")[0]).metadata["Name"]
    except Exception:  # noqa: BLE001 - what other packages left in the environment must not stop a run
        return module


def _sdk_versions() -> dict[str, str]:
    versions = {"synapse-stream": __version__}
    if "synapse_sdk" in sys.modules:
        with suppress(metadata.PackageNotFoundError):
            versions["synapse-sdk"] = metadata.version("synapse-sdk")
    return versions
