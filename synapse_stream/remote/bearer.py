"""The token that this process proves itself by: as it was given, or as it was renewed since.

What is renewed is left in a file of its user alone, beside the spools: a process that is spawned
later gets the token as it was given, which may have ended by then.
"""

from __future__ import annotations

import os
import time
from base64 import urlsafe_b64decode
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from synapse_stream.errors import ConfigError, LogUnavailable
from synapse_stream.remote.secret import read_private, write_private

_PARTS = 3

_renewed: dict[str, str] = {}
"""Token as it was given → as it was renewed last. A forked child has it, too."""


def jobs_of(given: str | None) -> str | None:
    """Return for which jobs a token is, as far as it says so: its pattern; None may mean all."""
    with suppress(LogUnavailable):
        jobs = _said(Bearer(given).token).get("jobs")
        return str(jobs) if jobs else None
    return None


class Bearer:
    """Reads a token where the settings say."""

    def __init__(self, given: str | None, folder: Path | None = None) -> None:
        """Take the token itself, or `@` and its file; what is renewed is left in `folder`."""
        self._given = given
        self._folder = folder
        self._found: str | None = None
        self._refused: str | None = None

    @property
    def token(self) -> str | None:
        """What to send; None: nothing.

        Raises:
            LogUnavailable: the file that holds it cannot be read.
        """
        if self._found is None:
            self._found = self._read()
            if self._found is not None and self._found not in _renewed:
                self._take_left(self._found)
        return None if self._found is None else _renewed.get(self._found, self._found)

    def renew(self, token: str) -> None:
        """Send this one from now on."""
        if self._found is not None:
            _renewed[self._found] = token
            self._leave(self._found, token)

    def look_again(self) -> None:
        """Read it anew: it was refused."""
        if self._found is not None:
            self._refused = _renewed.pop(self._found, self._found)
        self._found = None

    def _read(self) -> str | None:
        given = self._given
        if given is None or not given.startswith("@"):
            return given
        try:
            return Path(given[1:]).expanduser().read_text("utf-8").strip()
        except (OSError, RuntimeError, UnicodeDecodeError) as error:
            reason = f"the token's file {given[1:]} cannot be read: {error}"
            raise LogUnavailable(reason, is_refusal=True) from error

    def _take_left(self, found: str) -> None:
        """Take what another process has left in the place of a token, if it counts still."""
        if self._folder is None or "life" not in _said(found):
            return
        left = read_private(_file(self._folder, found))
        if left and left != self._refused and _ends(left) > max(time.time(), _ends(found)):
            _renewed[found] = left

    def _leave(self, found: str, token: str) -> None:
        """Leave a token for those who know the one before; what has ended goes."""
        if self._folder is None:
            return
        file = _file(self._folder, found)
        with suppress(ConfigError, OSError):
            write_private(file, token)
            os.utime(file, (_ends(token),) * 2)
            for other in self._folder.iterdir():
                if other.stat().st_mtime < time.time():
                    other.unlink(missing_ok=True)


def _file(folder: Path, token: str) -> Path:
    return folder / sha256(token.encode()).hexdigest()[:32]


def _ends(token: str) -> float:
    """Return when a token ends, as far as it says so."""
    ends = _said(token).get("exp")
    return float(ends) if isinstance(ends, int | float) else 0.0


def _said(token: str | None) -> dict[str, Any]:
    """Return what a signed token says; nothing of another one."""
    parts = (token or "").split(".")
    if len(parts) == _PARTS:
        with suppress(ValueError):
            found = orjson.loads(urlsafe_b64decode(parts[1] + "=="))
            return found if isinstance(found, dict) else {}
    return {}
