"""The secret that tokens are signed with, and files that hold what is secret."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from stat import S_IMODE, S_ISREG
from typing import TYPE_CHECKING

from synapse_stream.errors import ConfigError
from synapse_stream.system.private import FILE, held, make_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.settings import Settings

LEAST_SECRET = 32
"""Characters of a secret that is set."""
LOCK = "api.lock"
"""In the folder of files of ours that several processes write."""

_VARIABLE = "SYNAPSE_STREAM_TOKEN_SECRET"
_BYTES = 32


def secret_of(settings: Settings) -> str:
    """Return what the tokens of a deployment are signed with.

    Raises:
        ConfigError: the one that is set cannot be read, or is too short.
    """
    given = settings.token_secret and settings.token_secret.get_secret_value()
    if not given:
        return own_secret(settings.data_dir / "api.key")
    secret = read_setting(_VARIABLE, given).strip()
    if len(secret) < LEAST_SECRET:
        advice = "`openssl rand -hex 32` makes one"
        msg = f"{_VARIABLE} has less than {LEAST_SECRET} characters; {advice}"
        raise ConfigError(msg)
    return secret


def own_secret(file: Path) -> str:
    """Return what only this deployment knows; without a place to keep it, for this process."""
    made = secrets.token_hex(_BYTES)
    with suppress(ConfigError):
        return kept(file, lambda: read_private(file), made)
    return made


def kept(file: Path, read: Callable[[], str | None], new: str) -> str:
    """Return what `read` finds in a file of ours; else `new`, which is put there.

    Of processes that begin at once one writes it, and the others read that.

    Raises:
        ConfigError: it cannot be written.
    """
    found = read()
    if found is None:
        with held(file.with_name(LOCK)):
            found = read()
            if found is None:
                _write(file, new)
    return found or new


def read_setting(variable: str, given: str) -> str:
    """Return what a setting is, or what the file holds that it names by `@`.

    Raises:
        ConfigError: the file cannot be read.
    """
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).expanduser().read_text("utf-8")
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        msg = f"{variable} names the file {given[1:]}, which cannot be read: {error}"
        raise ConfigError(msg) from error


def read_private(file: Path, seconds: float | None = None) -> str | None:
    """Return what a file of ours holds; None if others may read it, or it is older than that."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as opened:
        found = os.fstat(descriptor)
        is_ours = S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
        is_private = not S_IMODE(found.st_mode) & ~FILE
        is_fresh = seconds is None or time.time() - found.st_mtime < seconds
        if not (is_ours and is_private and is_fresh):
            return None
        return opened.read(4_096).decode(errors="replace").strip() or None


def _write(file: Path, text: str) -> None:
    try:
        write_private(file, text)
    except OSError as error:
        msg = f"{file} cannot be written: {error}; --no-token does without it"
        raise ConfigError(msg) from error


def write_private(file: Path, text: str) -> None:
    """Put a text in the place of a file, for this user alone.

    Raises:
        OSError: it cannot be written.
    """
    part = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    try:
        make_folder(file.parent)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(f"{text}\n")
        part.replace(file)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
