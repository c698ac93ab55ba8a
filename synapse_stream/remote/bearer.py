"""The token that this process proves itself by: as it was given, or as it was renewed since."""

from __future__ import annotations

import contextlib
from base64 import urlsafe_b64decode
from pathlib import Path

import orjson

from synapse_stream.errors import LogUnavailable

_PARTS = 3

_renewed: dict[str, str] = {}
"""Token as it was given → as it was renewed last. A forked child has it, too."""


def jobs_of(given: str | None) -> str | None:
    """Return for which jobs a token is, as far as it says so: its pattern; None may mean all."""
    with contextlib.suppress(LogUnavailable, ValueError, AttributeError):
        parts = (Bearer(given).token or "").split(".")
        if len(parts) == _PARTS:
            said = orjson.loads(urlsafe_b64decode(parts[1] + "=="))
            return str(said["jobs"]) if said.get("jobs") else None
    return None


class Bearer:
    """Reads a token where the settings say."""

    def __init__(self, given: str | None) -> None:
        """Take the token itself, or `@` and its file."""
        self._given = given
        self._found: str | None = None

    @property
    def token(self) -> str | None:
        """What to send; None: nothing.

        Raises:
            LogUnavailable: the file that holds it cannot be read.
        """
        if self._found is None:
            self._found = self._read()
        return None if self._found is None else _renewed.get(self._found, self._found)

    def renew(self, token: str) -> None:
        """Send this one from now on."""
        if self._found is not None:
            _renewed[self._found] = token

    def look_again(self) -> None:
        """Read it anew: it was refused."""
        if self._found is not None:
            _renewed.pop(self._found, None)
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
