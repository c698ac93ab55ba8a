"""Worlds of their own on this machine: what a container or another host is to a plugin.

A world has its own processes, mounts, host name, machine id, boot id and shared memory, and if
asked its own network; files under other paths are those of the machine. All of it is gone when its
first process is.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.support.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.scenes.scene import Actor

SHARED_MEMORY = Path("/dev/shm")
"""Where each world has its own."""
NO_WORLDS = "only root may make namespaces of processes and mounts"

_ROOT = Path(__file__).parents[3]
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_MACHINE_ID = Path("/etc/machine-id")
_SPACES = ("--fork", "--kill-child", "--pid", "--mount-proc", "--mount", "--uts", "--ipc")
_WITH_US = ("setpriv", "--pdeathsig", "KILL")  # no world outlives who made it
_SET_UP = r"""
set -e
if [ -n "$KEPT" ]; then mount --bind "$KEPT" /dev/shm
else mount -t tmpfs -o "size=$MEMORY,mode=1777" tmpfs /dev/shm; fi
mount --bind "$IDS/boot" /proc/sys/kernel/random/boot_id
if [ -e /etc/machine-id ]; then mount --bind "$IDS/machine" /etc/machine-id; fi
hostname "$NAME"
eval "$MORE"
echo ready
exec sleep infinity
"""


def is_possible() -> bool:
    """Tell whether worlds can be made here."""
    if not sys.platform.startswith("linux") or os.getuid() != 0:
        return False
    tried = subprocess.run(["unshare", *_SPACES, "true"], capture_output=True, check=False)
    return tried.returncode == 0


@dataclass
class World:
    """One container or host; entering starts it, leaving ends it."""

    home: Path
    """Directory for what it needs."""
    name: str
    boot: str = field(default_factory=lambda: str(uuid.uuid4()))
    """Its boot id; that of the machine for a container, see `container`."""
    machine: str = field(default_factory=lambda: uuid.uuid4().hex)
    kept: Path | None = None
    """Directory of the machine's shared memory that is its own; None: one that goes with it."""
    memory: str = "64m"
    """Size of the latter."""
    more: str = ""
    """Shell commands that set up more."""
    spaces: Sequence[str] = ()
    """Further options of unshare."""

    @classmethod
    def container(cls, home: Path, name: str, **given: Any) -> Self:
        """Make one that runs on this machine, as containers do."""
        machine = _MACHINE_ID.read_text().strip() if _MACHINE_ID.exists() else ""
        return cls(home, name, _BOOT_ID.read_text().strip(), machine, **given)

    def start(self) -> Self:
        """Start it."""
        ids = self.home / f"ids-{self.name}"
        ids.mkdir(parents=True, exist_ok=True)
        (ids / "boot").write_text(self.boot + "\n")
        (ids / "machine").write_text(self.machine + "\n")
        given = {"NAME": self.name, "IDS": ids, "MEMORY": self.memory, "KEPT": self.kept or ""}
        with (ids / "errors").open("wb") as errors:
            self._process = subprocess.Popen(
                [*_WITH_US, "unshare", *_SPACES, *self.spaces, "bash", "-c", _SET_UP],
                env={**os.environ, **{k: str(v) for k, v in given.items()}, "MORE": self.more},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        is_ready = self._process.stdout.readline() == b"ready\n"
        assert is_ready, f"{self.name} did not start: {(ids / 'errors').read_text()}"
        (self._first,) = children(self._process.pid)
        return self

    def kill(self) -> None:
        """Kill all its processes; its memory goes with them, unless it is kept."""
        os.kill(self._first, signal.SIGKILL)
        self._process.wait()

    @property
    def within(self) -> list[str]:
        """Words of a command that runs the rest of its line in here."""
        spaces = ("--pid", "--mount", "--uts", "--ipc", "--net")
        return ["nsenter", f"--target={self._first}", *spaces, "env", f"--chdir={_ROOT}"]

    def run(self, *words: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*self.within, *words], env=environ, capture_output=True, text=True, check=False
        )

    def drain(self, environ: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
        """Run `synapse-stream drain`."""
        command = (sys.executable, "-m", "synapse_stream.cli", "drain", *words)
        return self.run(*command, environ=environ)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()


def kill_within(actor: Actor) -> bool:
    """Send SIGKILL to a plugin in a world; return False when it had ended before."""
    inner = wait_until(lambda: children(actor.process.pid) or actor.process.poll() is not None)
    if inner is not True:
        os.kill(inner[0], signal.SIGKILL)
    return actor.process.wait() == -signal.SIGKILL


@contextmanager
def standing_still(actor: Actor) -> Iterator[None]:
    """Stop a plugin in a world, as a frozen machine is, and let it run on behind."""
    outer = actor.process.pid
    (inner,) = children(outer)
    os.kill(inner, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in (inner, outer):  # the command that entered the world stops with it
            os.kill(pid, signal.SIGCONT)


def children(pid: int) -> list[int]:
    """Return the children of a process."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]
