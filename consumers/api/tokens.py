"""Tokens: what a caller proves itself by, and the one that is made where none is given."""

from __future__ import annotations

import hmac
import secrets
import time
from fnmatch import fnmatchcase
from hashlib import sha256
from math import log2
from typing import TYPE_CHECKING, Annotated, NamedTuple, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, model_validator

from synapse_stream.entries.keys import TRAIL
from synapse_stream.remote.secret import kept, read_private
from synapse_stream.remote.tokens import Claims, Role

if TYPE_CHECKING:
    from pathlib import Path

LEAST_BITS = 128

_LEAST_DIFFERENT = 8
_HEX_BITS = 4
_CLASSES = ((str.islower, 26), (str.isupper, 26), (str.isdecimal, 10))
_OTHERS = 33
_LOCAL_SECONDS = 30 * 24 * 3600
_TOKEN_BYTES = 32


class Limits(NamedTuple):
    """How much a caller may append, so that one does not take the room of all."""

    bytes_per_second: int = 32 * 1024 * 1024
    """Of lines as they are sent, compressed or not."""
    open_jobs: int = 1_000
    """To how many jobs within a minute."""


class Caller(NamedTuple):
    """Who asks."""

    name: str
    role: Role | None
    """None may read nothing."""
    jobs: str | None = None
    """Pattern of the jobs that it may know of, as in `team-a-*`; None means all."""
    append: bool = False
    limits: Limits = Limits()
    claims: Claims | None = None
    """What it proved itself by, if that was signed."""

    @property
    def is_developer(self) -> bool:
        """True when it sees what is meant for developers."""
        return self.role in {Role.DEVELOPER, Role.OPERATOR}

    @property
    def is_operator(self) -> bool:
        """True when it may do everything, to the jobs that it sees."""
        return self.role is Role.OPERATOR

    @property
    def may_append(self) -> bool:
        """True when it may append to the jobs that it knows of."""
        return self.append or self.is_operator

    def sees(self, job_id: str) -> bool:
        """Tell whether it may know of a job; of the operators' trail only one of all jobs may."""
        if job_id == TRAIL:
            return self.is_operator and self.jobs is None
        return self.jobs is None or fnmatchcase(job_id, self.jobs)


class Token(BaseModel):
    """A caller and what it proves itself by: a token, or only the hash of one."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    role: Role | None = None
    """None reads nothing."""
    append: bool = False
    token: SecretStr | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Of the token, in hex: what lies here is of no use to who reads it."""
    jobs: Annotated[str, Field(min_length=1)] | None = None
    expires: AwareDatetime | None = None
    bytes_per_second: Annotated[int, Field(ge=1)] = Limits().bytes_per_second
    open_jobs: Annotated[int, Field(ge=1)] = Limits().open_jobs

    @model_validator(mode="after")
    def _is_one_and_strong(self) -> Self:
        if (self.token is None) == (self.sha256 is None):
            msg = "it needs either `token` or `sha256`"
            raise ValueError(msg)
        if self.token is not None and bits_of(self.token.get_secret_value()) < LEAST_BITS:
            msg = f"the token has less than {LEAST_BITS} bits; `openssl rand -hex 16` makes one"
            raise ValueError(msg)
        if self.role is None and not self.append:
            msg = "it may do nothing: it needs a `role`, or `append`"
            raise ValueError(msg)
        return self

    @property
    def caller(self) -> Caller:
        """Who it is."""
        limits = Limits(self.bytes_per_second, self.open_jobs)
        return Caller(self.name, self.role, self.jobs, self.append, limits)

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


def caller_of(claims: Claims) -> Caller:
    """Return whose a signed token is."""
    usual = Limits()
    limits = Limits(
        claims.bytes_per_second or usual.bytes_per_second, claims.open_jobs or usual.open_jobs
    )
    return Caller(claims.name, claims.role, claims.jobs, claims.append, limits, claims)


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

    def read() -> str | None:
        found = read_private(file, _LOCAL_SECONDS)
        return found if found and bits_of(found) >= LEAST_BITS else None

    token = kept(file, read, secrets.token_urlsafe(_TOKEN_BYTES))
    return Token(name="local", role=Role.OPERATOR, token=SecretStr(token))
