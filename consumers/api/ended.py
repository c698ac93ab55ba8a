"""Sessions that were signed out: a signed session would else be one until its time is over."""

from __future__ import annotations

import logging
import time
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING

from synapse_stream.remote.secret import LOCK, write_private
from synapse_stream.system.private import held

if TYPE_CHECKING:
    from pathlib import Path

_logger = logging.getLogger(__name__)


class EndedSessions:
    """Kept in a file, so that they stay ended when the API is started again or there are several.

    The file holds hashes of them and until when they would have been sessions.
    """

    def __init__(self, file: Path | None) -> None:
        """Keep them in `file`; None, or what cannot be written: only for this process."""
        self._file = file
        self._until: dict[str, int] = {}
        self._read_at: tuple[int, int, int] | None = None
        self._lock = Lock()

    def has(self, session: str) -> bool:
        """Tell whether a session was signed out."""
        with self._lock:
            self._read()
            return _hash(session) in self._until

    def add(self, session: str, until: int) -> None:
        """Note that a session is signed out, which would have lasted `until`."""
        if self._file is None:
            self._until[_hash(session)] = until
            return
        with held(self._file.with_name(LOCK)), self._lock:
            self._read()
            self._until[_hash(session)] = until
            now = time.time()
            kept = (f"{end} {key}" for key, end in self._until.items() if end > now)
            try:
                write_private(self._file, "\n".join(kept))
            except OSError as error:
                _logger.warning("that a session ended is known to this process only: %s", error)

    def _read(self) -> None:
        """Read what others have added."""
        if self._file is None:
            return
        try:
            found = self._file.stat()
            place = (found.st_mtime_ns, found.st_ino, found.st_size)
            if place == self._read_at:
                return
            lines = self._file.read_text("ascii").splitlines()
        except (OSError, UnicodeDecodeError):
            return
        self._read_at = place
        for line in lines:
            until, _, key = line.partition(" ")
            if until.isdecimal():
                self._until[key] = int(until)


def _hash(session: str) -> str:
    return sha256(session.encode(errors="replace")).hexdigest()
