"""Who this process is, in words that another process, host or container can compare."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from synapse_stream.system.boot import boot_id

_PROC = Path("/proc")
_MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
_STATE, _STARTED = 0, 19  # of /proc/PID/stat, counted from behind the name


@dataclass(frozen=True, slots=True)
class Identity:
    """A process and where it runs; what a system does not tell is None."""

    host: str
    machine: str | None
    """Id of the installed system, the same after a reboot; images of containers may share one."""
    boot: str | None
    """Id of the running kernel, the same in all containers on it."""
    pid: int
    started: int | None
    """When the process started, in ticks since the boot: a pid alone is used again."""
    pid_namespace: str | None
    """Where the pid counts."""
    uid: int


def myself() -> Identity:
    """Return the identity of this process."""
    pid = os.getpid()
    return Identity(
        host=host_name(),
        machine=machine_id(),
        boot=boot_id(),
        pid=pid,
        started=started_at(pid),
        pid_namespace=pid_namespace(),
        uid=os.getuid(),
    )


def host_name() -> str:
    """Return the name that the host, or the container, has now."""
    return socket.gethostname()


def pid_namespace() -> str | None:
    """Return the namespace that process ids of ours count in."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return None


def started_at(pid: int) -> int | None:
    """Return when a process started; None when there is none, or nothing but a zombie of it."""
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    fields = stat[stat.rfind(b")") + 2 :].split()
    return None if fields[_STATE] in {b"Z", b"X"} else int(fields[_STARTED])


def is_running(pid: int, started: int | None) -> bool:
    """Tell whether the process of that pid is the one that started then."""
    if started is not None:
        return started_at(pid) == started
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it is somebody else's
    return True


def maps(pid: int, end_of_path: str) -> bool | None:
    """Tell whether a process has a file mapped; None when it does not let itself be looked at."""
    try:
        lines = (_PROC / str(pid) / "maps").read_bytes()
    except OSError:
        return None
    return os.fsencode(end_of_path) in lines


def machine_id() -> str | None:
    """Return the id of the installed system; None where it has none."""
    return next((found for path in _MACHINE_IDS if (found := _text(path))), None)


def _text(path: Path) -> str | None:
    try:
        return _read(path) or None
    except (OSError, ValueError):  # not for good: no file can be opened now
        return None


@cache
def _read(path: Path) -> str:
    return path.read_text(encoding="ascii").strip()
