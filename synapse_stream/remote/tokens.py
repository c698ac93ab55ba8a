"""Signed tokens: what a caller may do stands in the token itself, and who has the secret signs it.

A token is a JWT (HS256), so that any program which knows the deployment's secret can make one,
without asking the deployment. The claims are the aliases of the fields below.
"""

from __future__ import annotations

import secrets
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import jwt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

if TYPE_CHECKING:
    from jwt.types import Options

LONGEST_SECONDS = 400 * 24 * 3600
"""No token lives longer, so that what was revoked need not be kept for ever."""

_ALGORITHM = "HS256"
_ONLY_ITS_SIGNATURE: Options = {"verify_exp": False, "verify_iat": False, "verify_aud": False}
_WILD = frozenset("*?[")

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]


class Role(StrEnum):
    """What a caller may read; each what those before it may."""

    VIEWER = "viewer"
    DEVELOPER = "developer"
    """Sees dev events and log entries, too."""
    OPERATOR = "operator"
    """May also append to every job it sees, and make and revoke tokens."""


class Claims(BaseModel):
    """What a signed token says."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    id: Annotated[Name, Field(alias="jti")]
    """Stays the same when it is renewed; by it a token is revoked."""
    name: Annotated[Name, Field(alias="sub")]
    """Who has it, for people."""
    issued: Annotated[float, Field(alias="iat", ge=0)]
    """When it was first made, in seconds since the epoch."""
    expires: Annotated[int, Field(alias="exp", ge=0)]
    jobs: Annotated[str, Field(min_length=1)] | None = None
    """The job that it is for, or a pattern as in `team-a-*`; None means all."""
    role: Role | None = None
    """None reads nothing."""
    append: bool = False
    life: Annotated[int, Field(ge=1)] | None = None
    """Seconds that it lives on when it is renewed; None is never renewed."""
    bytes_per_second: Annotated[int, Field(ge=1)] | None = None
    open_jobs: Annotated[int, Field(ge=1)] | None = None
    session: Annotated[Name | None, Field(alias="sid")] = None
    """Of what a browser got in place of a token: its own name. As a token it is none."""

    @property
    def run(self) -> str | None:
        """The one job that it is for; its life ends with that run's."""
        return None if self.jobs is None or _WILD & set(self.jobs) else self.jobs

    @property
    def told(self) -> dict[str, Any]:
        """What the operators' trail tells of it."""
        shown = {"id", "name", "jobs", "role", "append", "expires"}
        return self.model_dump(include=shown, mode="json")

    @property
    def is_due(self) -> bool:
        """True when half of its life is over: then a new one is handed out."""
        return self.life is not None and self.expires - time.time() < self.life / 2

    def renewed(self) -> Claims:
        """Return the claims of the token that takes its place."""
        return self.model_copy(update={"expires": int(time.time()) + (self.life or 0)})


def issue(name: str, seconds: int, *, is_renewed: bool = True, **others: object) -> Claims:
    """Return the claims of a new token that lives `seconds`, and as long again when renewed.

    Raises:
        ValueError: a claim is not allowed.
    """
    now = time.time()
    if not 0 < seconds <= LONGEST_SECONDS:
        msg = f"a token lives 1 s to {LONGEST_SECONDS // 86_400} days, not {seconds} s"
        raise ValueError(msg)
    life = seconds if is_renewed else None
    times = {"issued": round(now, 3), "expires": int(now) + seconds, "life": life}
    return Claims.model_validate({"id": secrets.token_hex(8), "name": name, **times, **others})


def sign(claims: Claims, secret: str) -> str:
    """Return the token of some claims."""
    said = claims.model_dump(by_alias=True, exclude_none=True, mode="json")
    return jwt.encode(said, secret, _ALGORITHM)


def read(token: str, secret: str) -> Claims | None:
    """Return what a token says that was signed with `secret`; None for any other text.

    That it has expired is the caller's to judge.
    """
    try:
        said = jwt.decode(token, secret, [_ALGORITHM], options=_ONLY_ITS_SIGNATURE)
        claims = Claims.model_validate(said)
    except (jwt.InvalidTokenError, ValidationError, UnicodeError):
        return None
    return claims if claims.expires - time.time() <= LONGEST_SECONDS else None
