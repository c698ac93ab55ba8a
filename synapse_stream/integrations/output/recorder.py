"""The process at the other end of captured output: it passes it on, and records it.

    python -m synapse_stream.integrations.output.recorder CONTROL OUT ERR

Descriptors that it has inherited. Over CONTROL it gets the run, pickled, whose child it is. It ends
when nobody has the writing ends any more.
"""

from __future__ import annotations

import os
import pickle
import selectors
import signal
import socket
import sys
from contextlib import suppress
from typing import Any

from synapse_stream.integrations.output.folding import Folder
from synapse_stream.loggers.console import ConsoleLogger
from synapse_stream.loggers.foreign import adapt
from synapse_stream.loggers.many import ManyLogger

DRAIN, DONE = b"d", b"k"
SIZE = 4
"""Bytes that tell how long the pickled run is."""

_READ_BYTES = 1024 * 1024
_SETTLE_SECONDS = 1.0
_FLUSH_SECONDS = 5.0
_NAMES = ("stdout", "stderr")


class Recorder:
    """Reads both streams until they end."""

    def __init__(self, run: Any, control: socket.socket, reads: tuple[int, int]) -> None:
        logger = adapt(run.logger)
        parts = logger.parts if isinstance(logger, ManyLogger) else (logger,)
        # A console would show what it is shown already.
        self._loggers = [part for part in parts if not isinstance(part, ConsoleLogger)]
        self._control = control
        self._streams = {read: (name, Folder()) for read, name in zip(reads, _NAMES, strict=True)}
        self._passes_on = dict(zip(reads, (1, 2), strict=True))
        self._selector = selectors.DefaultSelector()
        for descriptor in (control.fileno(), *reads):
            os.set_blocking(descriptor, False)
            self._selector.register(descriptor, selectors.EVENT_READ)

    def run(self) -> None:
        """Pass on and record until both streams have ended."""
        while self._streams:
            ready = [key.fd for key, _ in self._selector.select(_SETTLE_SECONDS)]
            for descriptor in ready:
                if descriptor == self._control.fileno():
                    self._obey()
                else:
                    self._read(descriptor)
            if not ready:
                for name, folder in self._streams.values():
                    self._report(name, folder.settle())
        for logger in self._loggers:
            logger.end_log()

    def _obey(self) -> None:
        """Record all that was printed so far, and say so."""
        order = self._control.recv(1)
        if order != DRAIN:  # whoever captures is gone
            self._selector.unregister(self._control)
            return
        for descriptor in list(self._streams):
            while self._read(descriptor):
                pass
        for name, folder in self._streams.values():
            self._report(name, folder.finish())
        for logger in self._loggers:
            logger.flush(_FLUSH_SECONDS)
        self._control.send(DONE)

    def _read(self, descriptor: int) -> bool:
        """Take what is there; False when it is nothing."""
        if descriptor not in self._streams:
            return False
        try:
            data = os.read(descriptor, _READ_BYTES)
        except BlockingIOError:
            return False
        name, folder = self._streams[descriptor]
        if data:
            self._pass_on(self._passes_on[descriptor], data)
            self._report(name, folder.feed(data))
            return True
        self._selector.unregister(descriptor)
        del self._streams[descriptor]
        self._report(name, folder.finish())
        return False

    def _pass_on(self, descriptor: int, data: bytes) -> None:
        with suppress(OSError):  # nobody is there to read it
            while data:
                data = data[os.write(descriptor, data) :]

    def _report(self, name: str, lines: list[Any]) -> None:
        for line in lines:
            data = {"stream": name}
            for logger in self._loggers:
                logger.log(line.text, {**data, "redrawn": line.redrawn} if line.redrawn else data)


def main(control: int, out: int, err: int) -> None:
    """Be the recorder, which ends when what it records does, and not when somebody says so."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=control) as channel:
        channel.settimeout(None)
        size = int.from_bytes(_exactly(channel, SIZE), "big")
        run = pickle.loads(_exactly(channel, size))  # noqa: S301 - of the process that started it
        Recorder(run, channel, (out, err)).run()


def _exactly(channel: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = channel.recv(size - len(found))
        if not more:
            sys.exit("the process whose output is recorded has ended too early")
        found += more
    return found


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
