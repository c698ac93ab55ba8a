"""What `doctor` looks at; a finding that is not fine says what to do."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from typing import TYPE_CHECKING, Literal, NamedTuple

from synapse_stream.cli.shared.left import left_line
from synapse_stream.errors import ConfigError, LogUnavailable
from synapse_stream.log.event_log import open_log
from synapse_stream.producer.adoption.adopt import Mandate, adopt_all
from synapse_stream.producer.shipping.port import opener
from synapse_stream.producer.spool.roots import has_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.log.handshake import ServerReport
    from synapse_stream.settings import Settings

_MIB = 1024 * 1024
_FULL = 0.8
_ROOM = (
    "make room on its disk, or raise its memory: CONFIG SET maxmemory; until then reports wait in "
    "the spools"
)


class Finding(NamedTuple):
    """One thing that was looked at."""

    subject: str
    verdict: Literal["ok", "warning", "problem"]
    text: str
    advice: str | None = None


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at the server, the deployment on it, and this host's spools; yield what is found."""
    if settings.url is None:
        with closing(open_log(settings)) as log:
            yield from _server(log)
    else:
        yield _api(settings)
    yield from _spool(settings)
    yield from _orphans(settings)


def _api(settings: Settings) -> Finding:
    try:
        with closing(opener(settings)()) as log:
            return Finding("API", "ok", f"{settings.server} is deployment {log.check()}")
    except LogUnavailable as error:
        return Finding("API", "problem", str(error))


def _server(log: EventLog) -> Iterator[Finding]:
    try:
        report = log.server_report()
    except LogUnavailable as error:
        yield Finding("server", "problem", str(error))
        return
    yield _role(report, log.address)
    yield _eviction(report)
    yield _persistence(report)
    if report.refusal:
        yield Finding("writes", "problem", f"refused: {report.refusal}", _ROOM)
    yield _memory(report)
    yield _deployment(log)


def _role(report: ServerReport, address: str) -> Finding:
    if report.role == "master":
        return Finding("server", "ok", f"{report.version}, {address}")
    text = f"{report.version}, {address}, is a {report.role}"
    advice = "name the primary, or use a redis+sentinel:// or redis+cluster:// URL"
    return Finding("server", "problem", text, advice)


def _eviction(report: ServerReport) -> Finding:
    if report.eviction_policy == "noeviction":
        return Finding("eviction", "ok", "noeviction")
    return Finding(
        "eviction",
        "problem",
        f"{report.eviction_policy}: a full server silently deletes events",
        "CONFIG SET maxmemory-policy noeviction, and in its configuration file",
    )


def _persistence(report: ServerReport) -> Finding:
    if report.aof_enabled:
        return Finding("persistence", "ok", "append-only file on")
    return Finding(
        "persistence",
        "warning",
        "append-only file off: what the server took is lost when it crashes",
        "CONFIG SET appendonly yes, and in its configuration file",
    )


def _memory(report: ServerReport) -> Finding:
    used = report.used_bytes / _MIB
    if not report.max_bytes:
        return Finding("memory", "ok", f"{used:.0f} MiB used, no limit")
    text = f"{used:.0f} of {report.max_bytes / _MIB:.0f} MiB used"
    if report.used_bytes < _FULL * report.max_bytes:
        return Finding("memory", "ok", text)
    return Finding("memory", "warning", text, "raise maxmemory, or trim what is archived")


def _deployment(log: EventLog) -> Finding:
    keys = log.keys
    try:
        deployment = log.check(found=False)
    except (ConfigError, LogUnavailable) as error:
        return Finding("deployment", "problem", str(error))
    if deployment is None:
        return Finding("deployment", "ok", f"none yet in namespace {keys.namespace}")
    return Finding("deployment", "ok", f"namespace {keys.namespace}, {keys.partitions} partitions")


def _spool(settings: Settings) -> Iterator[Finding]:
    root = settings.spool_root
    there = next(path for path in (root, *root.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    text = f"{root}, {free / _MIB:.0f} MiB free"
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        advice = "set SYNAPSE_STREAM_SPOOL_DIR to a directory that you may write"
        yield Finding("spool", "problem", f"{there} cannot be written", advice)
    elif free < settings.spool_max_bytes:
        advice = (
            f"free some: a spool may grow to {settings.spool_max_bytes / _MIB:.0f} MiB a process"
        )
        yield Finding("spool", "warning", text, advice)
    else:
        yield Finding("spool", "ok", text)
    yield _shared_memory(settings)


def _shared_memory(settings: Settings) -> Finding:
    memory = settings.memory_dir
    if not settings.spool_memory_bytes or not has_memory(memory):
        return Finding(
            "shared memory",
            "warning",
            "not used: a report call may wait for the disk",
            "mount a tmpfs on /dev/shm, and leave SYNAPSE_STREAM_SPOOL_MEMORY_BYTES above 0",
        )
    free = shutil.disk_usage(memory).free
    text = f"{free / _MIB:.0f} MiB free in {memory}"
    if free < settings.spool_memory_bytes:
        wanted = f"{settings.spool_memory_bytes / _MIB:.0f} MiB"
        advice = f"{wanted} may be used; make it larger, in a container by --shm-size"
        return Finding("shared memory", "warning", text, advice)
    return Finding("shared memory", "ok", text)


def _orphans(settings: Settings) -> Iterator[Finding]:
    waiting = 0
    mandate = Mandate(is_explicit=True, is_everywhere=True, only_looks=True)
    found = adopt_all(settings, opener(settings), mandate)
    for adoption in found:
        if adoption.trouble is None:
            waiting += adoption.waiting
        else:
            yield Finding("left behind", "warning", left_line(adoption))
    if waiting:
        advice = "synapse-stream drain"
        yield Finding("left behind", "warning", f"{waiting} events of ended processes wait", advice)
    elif not any(adoption.trouble for adoption in found):
        yield Finding("left behind", "ok", "no events of ended processes wait")
