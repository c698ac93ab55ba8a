"""Open a run: find out which job this is, which of its processes, and whose child."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from synapse_stream.entries.keys import LONGEST_JOB_ID, TRAIL, is_job_id
from synapse_stream.errors import ConfigError, LogUnavailable
from synapse_stream.loggers.many import ManyLogger
from synapse_stream.loggers.null import NullLogger
from synapse_stream.reporting.environment import PluginEnvironment
from synapse_stream.reporting.opened import OpenRun, end_older
from synapse_stream.reporting.ranks import launched_rank, whole
from synapse_stream.saying import voice
from synapse_stream.settings import Settings
from synapse_stream.system.descriptors import SET_ASIDE
from synapse_stream.system.signals import is_plugins_own

if TYPE_CHECKING:
    from synapse_stream.loggers.base import BaseLogger
    from synapse_stream.loggers.stream import StreamLogger
    from synapse_stream.reporting.context import RuntimeContext


_CHOICES = ("spool", "raise")

_BASE_32 = "0123456789abcdefghjkmnpqrstvwxyz"

SET_ASIDE.fill()  # now, while there are some: even a module takes one when it is imported


@SET_ASIDE.lent()
def open_run(
    job_id: str | None = None,
    *,
    action: str | type[Any] | None = None,
    params: Any = None,
    rank: int | None = None,
    attempt: int | str | None = None,
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
            ends. None: that which torchrun, MPI, Slurm or Ray gave it, else 0. Where a rank 0 of
            the job lives on this host, it then is a child of that, which ends only its own part; in
            the same process, the older run is ended first.
        attempt: number of this attempt, from 1; None: one more than the stream has seen; "new": the
            same, and no child of a rank 0 that lives.
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
    _check("labels", labels, labels is None or isinstance(labels, Mapping), "a mapping")
    is_new = isinstance(attempt, str) and attempt == "new"
    number = None if attempt is None or is_new else whole("attempt", attempt, 1, 'None or "new"')
    named = launched_rank() if rank is None else whole("rank", rank, 0)
    settings = settings or Settings.load()
    if strict is not None:
        settings = settings.model_copy(update={"strict": strict})
    job_id = job_id if job_id is not None else settings.job_id
    if job_id is None:
        _check("job_id", job_id, not named, f"the job of rank 0, as this is rank {named}")
        job_id = make_job_id()
    check_job_id(job_id)
    key = (job_id, named or 0, settings.namespace, settings.server)
    end_older(key)
    environment = PluginEnvironment.of(env)
    stream = _try_to_open(job_id, settings, named, may_join=rank is None and not is_new)
    if stream is not None:
        _await_server(stream, settings, on_unavailable)
    elif on_unavailable == "raise":
        raise LogUnavailable("nothing of the run can be recorded")
    logger = stream or NullLogger(job_id)
    beside = _console(job_id, environment) if console else []
    run = OpenRun(
        ManyLogger(logger, *beside) if beside else logger,
        key=key,
        settle_seconds=settings.exit_wait_seconds,
        env=environment,
        job_id=job_id,
        client=client,
        agent_client=agent_client,
        checkpoint=checkpoint,
    )
    if stream is not None and stream.rank is not None:
        run.record_start(action, params, stream.rank, number, labels)
        if settings.page_url is not None and stream.rank == 0:
            page = f"{settings.page_url}/job?{urlencode({'id': job_id})}"
            voice.tell("run %s is shown at %s", job_id, page)
    return run


def check_job_id(job_id: Any) -> None:
    """See that `job_id` can stand in a key, a path and a terminal.

    Raises:
        ValueError: it cannot; the message says what is allowed.
    """
    is_good = isinstance(job_id, str) and is_job_id(job_id)
    allowed = (
        f"1 to {LONGEST_JOB_ID} visible characters without white space, braces and slashes, and "
        f"not {TRAIL!r}, which is the operators' trail"
    )
    _check("job_id", job_id, is_good, allowed)


def make_job_id() -> str:
    """Return a new job id that sorts by time, as in `20251123-161905-7mx2p8r` (UTC)."""
    random = "".join(_BASE_32[byte % 32] for byte in os.urandom(7))
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{random}"


def _try_to_open(
    job_id: str, settings: Settings, rank: int | None, *, may_join: bool
) -> StreamLogger | None:
    """Open this process's part of the stream; None where not even that can be done, and it is said.

    As where not a single file may be opened.
    """
    try:
        return _open_stream(job_id, settings, rank, may_join=may_join)
    except ConfigError:
        raise
    except BaseException as failure:
        if is_plugins_own(failure):
            raise
        voice.error(
            "job %s: nothing of this run is recorded, as it cannot be opened; the run goes on: "
            "%s: %s",
            *(job_id, type(failure).__name__, failure),
        )
        return None


def _open_stream(
    job_id: str, settings: Settings, rank: int | None, *, may_join: bool
) -> StreamLogger:
    """Open this process's part of the stream: a child's, if there is a rank 0 and none was named.

    Processes that start at the same time do so one after the other: one of them is rank 0.
    """
    from synapse_stream.loggers.stream import StreamLogger, inherited  # noqa: PLC0415 - brings redis
    from synapse_stream.producer.adoption.living import find_living, one_at_a_time  # noqa: PLC0415

    if not rank and not may_join:
        return StreamLogger(job_id, settings)
    kin = None if rank else inherited(job_id, settings)
    opener = kin.opener(settings) if kin is not None else None
    if opener is not None:
        stream = StreamLogger(job_id, settings, rank=None, kin=kin)
    else:
        with one_at_a_time(settings):
            parent = find_living(settings, job_id)
            if parent is None:
                return StreamLogger(job_id, settings, rank=rank or 0)
            stream = StreamLogger(job_id, settings, rank=rank or None, parent=parent.producer)
        opener = parent.owner.pid
    if not rank:
        voice.warn(
            "job %s: its run is open in process %d, so this process reports to that run as a child"
            ' of it; open_run(…, attempt="new") starts a new attempt instead',
            *(job_id, opener),
        )
    return stream


def _await_server(stream: StreamLogger, settings: Settings, on_unavailable: str) -> None:
    try:
        stream.wait_ready(settings.connect_seconds)
    except BaseException as error:
        may_wait = isinstance(error, LogUnavailable) and on_unavailable == "spool"
        if not may_wait:  # else the shipper has said what is wrong and where events wait
            stream.close()
            raise


def _console(job_id: str, env: PluginEnvironment) -> list[BaseLogger]:
    try:
        from synapse_stream.loggers.console import ConsoleLogger  # noqa: PLC0415 - seldom wanted
    except OSError as error:  # no file can be opened
        voice.warn("job %s: it is not shown here: %s", job_id, error)
        return []
    return [ConsoleLogger(job_id, debug=env.debug)]


def _check(name: str, value: object, is_good: bool, allowed: str) -> None:  # noqa: FBT001 - a condition, not a flag
    if not is_good:
        msg = f"{name}={value!r} is not allowed; expected {allowed}"
        raise ValueError(msg)
