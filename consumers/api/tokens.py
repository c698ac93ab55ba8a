"""Tokens: what a caller proves itself by, and the one that is made where none is given."""

from __future__ import annotations

import hmac
import os
import secrets
import time
from contextlib import suppress
from enum import StrEnum
from fnmatch import fnmatchcase
from hashlib import sha256
from math import log2
from stat import S_IMODE, S_ISREG
from typing import TYPE_CHECKING, Annotated, NamedTuple, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, model_validator

from synapse_stream.errors import ConfigError
from synapse_stream.system.private import make_folder

if TYPE_CHECKING:
    from pathlib import Path

LEAST_BITS = 128

_LEAST_DIFFERENT = 8
_HEX_BITS = 4
_CLASSES = ((str.islower, 26), (str.isupper, 26), (str.isdecimal, 10))
_OTHERS = 33
_LOCAL_SECONDS = 30 * 24 * 3600
_TOKEN_BYTES = 32
_PRIVATE = 0o600


class Role(StrEnum):
    """What a caller may do; each may what those before it may."""

    VIEWER = "viewer"
    DEVELOPER = "developer"
    """Sees dev events and log entries, too."""
    OPERATOR = "operator"


class Caller(NamedTuple):
    """Who asks."""

    name: str
    role: Role
    jobs: str | None = None
    """Pattern of the jobs that it may see, as in `team-a-*`; None means all."""

    @property
    def is_developer(self) -> bool:
        """True when it sees what is meant for developers."""
        return self.role is not Role.VIEWER

    def sees(self, job_id: str) -> bool:
        """Tell whether it may know of a job."""
        return self.jobs is None or fnmatchcase(job_id, self.jobs)


class Token(BaseModel):
    """A caller and what it proves itself by: a token, or only the hash of one."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    role: Role
    token: SecretStr | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Of the token, in hex: what lies here is of no use to who reads it."""
    jobs: Annotated[str, Field(min_length=1)] | None = None
    expires: AwareDatetime | None = None

    @model_validator(mode="after")
    def _is_one_and_strong(self) -> Self:
        if (self.token is None) == (self.sha256 is None):
            msg = "it needs either `token` or `sha256`"
            raise ValueError(msg)
        if self.token is not None and bits_of(self.token.get_secret_value()) < LEAST_BITS:
            msg = f"the token has less than {LEAST_BITS} bits; `openssl rand -hex 16` makes one"
            raise ValueError(msg)
        return self

    @property
    def caller(self) -> Caller:
        """Who it is."""
        return Caller(self.name, self.role, self.jobs)

    @property
    def is_over(self) -> bool:
        """True when it has expired."""
        return self.expires is not None and time.time() >= self.expires.timestamp()

    @property
    def digest(self) -> bytes:
        """The hash of what proves it."""
        if self.token is None:
            return bytes.fromhex(self.sha256 or "")
        return sha256(self.token.get_secret_value().encode()).digest()

    def key(self, own: bytes) -> bytes:
        """Return what its sessions are signed with; `own` is what only this deployment knows."""
        if self.token is None:
            return hmac.digest(own, self.digest, "sha256")
        return self.token.get_secret_value().encode()


def bits_of(token: str) -> float:
    """Return how many bits a token of such characters has at most; 0 for one that repeats few."""
    if len(set(token)) < _LEAST_DIFFERENT:
        return 0
    if all(sign in "0123456789abcdefABCDEF" for sign in token):
        return _HEX_BITS * len(token)
    alphabet = sum(size for has, size in _CLASSES if any(map(has, token)))
    return len(token) * log2(alphabet + _OTHERS * (not token.isalnum()))


def local_token(file: Path) -> Token:
    """Return the operator's token of this machine; it stands in `file`, and is made if need be.

    It is a new one after 30 days, and where others than this user could have read it.

    Raises:
        ConfigError: the file cannot be written.
    """
    found = read_private(file, _LOCAL_SECONDS)
    if found is None or bits_of(found) < LEAST_BITS:
        found = secrets.token_urlsafe(_TOKEN_BYTES)
        _write(file, found)
    return Token(name="local", role=Role.OPERATOR, token=SecretStr(found))


def own_key(file: Path) -> bytes:
    """Return what only this deployment knows; without a place to keep it, for this process."""
    found = read_private(file)
    if found is None:
        found = secrets.token_hex(_TOKEN_BYTES)
        with suppress(ConfigError):
            _write(file, found)
    return found.encode()


def read_private(file: Path, seconds: float | None = None) -> str | None:
    """Return what a file of ours holds; None if others may read it, or it is older than that."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as opened:
        found = os.fstat(descriptor)
        is_ours = S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
        is_private = not S_IMODE(found.st_mode) & ~_PRIVATE
        is_fresh = seconds is None or time.time() - found.st_mtime < seconds
        if not (is_ours and is_private and is_fresh):
            return None
        return opened.read(4_096).decode(errors="replace").strip() or None


def _write(file: Path, text: str) -> None:
    part = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    try:
        make_folder(file.parent)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(f"{text}\n")
        part.replace(file)
    except OSError as error:
        part.unlink(missing_ok=True)
        msg = f"{file} cannot be written: {error}; --no-token does without it"
        raise ConfigError(msg) from error
