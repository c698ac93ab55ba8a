"""Puts pipes in the place of descriptors 1 and 2, with a recorder at their other end."""

from __future__ import annotations

import atexit
import ctypes
import os
import pickle
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

import synapse_stream
from synapse_stream.integrations.current import Current
from synapse_stream.integrations.output.recorder import DONE, DRAIN, SIZE
from synapse_stream.saying import voice
from synapse_stream.saying.outlet import PAST_CAPTURE
from synapse_stream.system.signals import is_plugins_own

if TYPE_CHECKING:
    from synapse_stream.reporting.context import RuntimeContext

_CAPTURED = (1, 2)
_PIPE_BYTES = 1024 * 1024
_SETTLE_SECONDS = 5.0
_HOME = str(Path(synapse_stream.__file__).parents[1])

_active: list[Capture] = []


class Capture:
    """Records what is printed, until it is closed.

    A recorder is a process: what is in a pipe when this one is killed is not lost. This one holds
    the reading ends, too, so that nobody who prints gets SIGPIPE when the recorder dies; then the
    output goes where it went before.
    """

    def __init__(self, run: RuntimeContext | None) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._is_open = False
        self._before: tuple[int, ...] = ()
        self._pipes: tuple[tuple[int, int], ...] = ()
        if _active and _active[0]._pid == self._pid:  # noqa: SLF001 - one of its kind
            voice.warn("the output of this process is captured already")
            return
        try:
            self._begin(Current(run).run)
        except BaseException as failure:
            if is_plugins_own(failure):
                raise
            self._put_back()
            voice.error(
                "what is printed is not recorded: %s: %s", *(type(failure).__name__, failure)
            )

    def _begin(self, run: RuntimeContext) -> None:
        whose = pickle.dumps(run)
        self._before = tuple(os.dup(descriptor) for descriptor in _CAPTURED)
        self._pipes = tuple(os.pipe() for _ in _CAPTURED)
        for _, written in self._pipes:
            with suppress(OSError, AttributeError):  # more room than 64 KiB, where there is some
                _enlarge(written)
        self._control, theirs = socket.socketpair()
        with theirs:
            self._recorder = self._start(theirs.fileno())
        self._control.sendall(len(whose).to_bytes(SIZE, "big") + whose)
        flush_all()
        for descriptor, (_, written) in zip(_CAPTURED, self._pipes, strict=True):
            os.dup2(written, descriptor)
            os.close(written)
        PAST_CAPTURE.update(zip(_CAPTURED, self._before, strict=True))
        self._is_open = True
        _active[:] = [self]
        atexit.register(self.close)
        threading.Thread(target=self._watch, name="synapse-stream-output", daemon=True).start()

    def _start(self, control: int) -> subprocess.Popen[bytes]:
        reads = [read for read, _ in self._pipes]
        out, err = self._before
        path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), _HOME)))
        return subprocess.Popen(  # noqa: S603 - this very Python
            # -P: what lies in the plugin's folder may have the name of a module of Python's
            [sys.executable, "-P", "-m", "synapse_stream.integrations.output.recorder"]
            + [str(number) for number in (control, *reads)],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            pass_fds=(control, *reads),
            start_new_session=True,  # Ctrl-C and the end of the terminal are not for it
        )

    def close(self) -> None:
        """Print as before, once all that was printed is recorded; at most 5 s are waited for."""
        if os.getpid() != self._pid:
            return  # a forked child prints on into its parent's pipe
        atexit.unregister(self.close)
        if not self._stop():
            return
        with suppress(OSError):
            self._control.sendall(DRAIN)
            self._control.settimeout(_SETTLE_SECONDS)
            if self._control.recv(1) == DONE:
                self._control.close()
                return
        voice.warn("some of the last that was printed may not be recorded yet")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _stop(self) -> bool:
        """Put the descriptors back; False when they are."""
        with self._lock:
            was_open, self._is_open = self._is_open, False
            if was_open:
                flush_all()
                self._put_back()
                with suppress(ValueError):
                    _active.remove(self)
        return was_open

    def _put_back(self) -> None:
        for descriptor, before in zip(_CAPTURED, self._before, strict=False):
            PAST_CAPTURE.pop(descriptor, None)
            os.dup2(before, descriptor)

    def _watch(self) -> None:
        """Print what nobody records any more, if the recorder has died before its time."""
        self._recorder.wait()
        if self._stop():
            voice.error("what is printed is not recorded any more: the recorder has died")
        pumps = [
            threading.Thread(target=_pump, args=(read, before), daemon=True)
            for (read, _), before in zip(self._pipes, self._before, strict=True)
        ]
        for pump in pumps:
            pump.start()
        for pump in pumps:
            pump.join()
        for descriptor in (*self._before, *(read for read, _ in self._pipes)):
            os.close(descriptor)


def flush_all() -> None:
    """Write what Python and the C library hold back, to where it belongs by now."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # closed, None, or any object
            stream.flush()
    with suppress(Exception):  # no such library
        ctypes.CDLL(None).fflush(None)


def _pump(read: int, to: int) -> None:
    with suppress(OSError):
        while data := os.read(read, 65_536):
            os.write(to, data)


def _enlarge(descriptor: int) -> None:
    import fcntl  # noqa: PLC0415 - where there is one

    fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
