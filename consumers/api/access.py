"""Who may see what: tokens, their roles, and the sessions of browsers.

Without tokens everybody who reaches the port is the operator, so then only this machine must reach
it, and only by its own name: a foreign page whose name was made to lead here is refused.
"""

from __future__ import annotations

import hmac
import time
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, Self

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError

from consumers.api import parameters
from consumers.api.problems import not_found
from synapse_stream.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_stream.settings import Settings

COOKIE = "synapse_stream_session"
SESSION_SECONDS = 12 * 3600
SHORTEST_TOKEN = 16

_VARIABLE = "SYNAPSE_STREAM_API_TOKENS"


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


ANYONE_HERE = Caller("this machine", Role.OPERATOR)


class Token(BaseModel):
    """A caller and what it proves itself by."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    role: Role
    token: Annotated[SecretStr, Field(min_length=SHORTEST_TOKEN)]
    jobs: Annotated[str, Field(min_length=1)] | None = None

    @property
    def caller(self) -> Caller:
        """Who it is."""
        return Caller(self.name, self.role, self.jobs)

    @property
    def secret(self) -> bytes:
        """What proves it."""
        return self.token.get_secret_value().encode()


_TOKENS = TypeAdapter(list[Token])


class Access:
    """Knows callers by their tokens, compared in a time that tells nothing."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens

    @classmethod
    def load(cls, settings: Settings) -> Self:
        """Read the tokens of a deployment.

        Raises:
            ConfigError: they are not as they must be; the message shows none of them.
        """
        given = settings.api_tokens
        text = given.get_secret_value() if given else "[]"
        if text.startswith("@"):
            text = _read(Path(text[1:]))
        try:
            tokens = _TOKENS.validate_json(text)
        except ValidationError as error:
            said = "; ".join(f"{_place(each['loc'])}: {each['msg']}" for each in error.errors())
            msg = f"{_VARIABLE} is not allowed: {said}"
            raise ConfigError(msg) from None
        for what in ({token.name for token in tokens}, {token.secret for token in tokens}):
            if len(what) < len(tokens):
                msg = f"{_VARIABLE} is not allowed: two tokens have the same name or secret"
                raise ConfigError(msg)
        return cls(tokens)

    @property
    def demands_token(self) -> bool:
        """True when callers must prove who they are."""
        return bool(self._tokens)

    def by_token(self, token: str) -> Caller | None:
        """Return whose token it is."""
        given, found = token.encode(errors="replace"), None
        for each in self._tokens:
            if hmac.compare_digest(each.secret, given):
                found = each.caller
        return found

    def by_session(self, session: str) -> Caller | None:
        """Return whose session it is, unless it has ended or its token is no longer one."""
        name, _, rest = session.partition(".")
        until, _, _ = rest.partition(".")
        found = None
        for each in self._tokens:
            expected = _session(each, until) if each.name == name else ""
            if hmac.compare_digest(expected.encode(), session.encode(errors="replace")):
                found = each.caller
        return found if until.isdecimal() and time.time() < int(until) else None

    def open_session(self, token: str) -> str | None:
        """Return what a browser proves itself by for 12 hours; None when it is nobody's token."""
        caller = self.by_token(token)
        until = str(int(time.time()) + SESSION_SECONDS)
        own = (each for each in self._tokens if caller and each.name == caller.name)
        return next((_session(each, until) for each in own), None)


def _session(token: Token, until: str) -> str:
    """Return a session that its token can be asked for again, so that nobody must keep it."""
    said = f"{token.name}.{until}"
    return f"{said}.{hmac.new(token.secret, said.encode(), 'sha256').hexdigest()}"


def _read(path: Path) -> str:
    try:
        return path.expanduser().read_text("utf-8")
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        msg = f"{_VARIABLE} names the file {path}, which cannot be read: {error}"
        raise ConfigError(msg) from error


def _place(parts: tuple[int | str, ...]) -> str:
    return ".".join(map(str, parts)) or "the whole"


def caller_of(request: Request) -> Caller:
    """Return who asks."""
    found: Caller = request.state.caller
    return found


Asking = Annotated[Caller, Depends(caller_of)]


def visible(job_id: parameters.JobId, caller: Asking) -> str:
    """Return the job's id if the caller may know of it.

    Raises:
        Problem: it may not; the answer is that of a job that is not known.
    """
    if not caller.sees(job_id):
        raise not_found(job_id)
    return job_id


VisibleJob = Annotated[str, Depends(visible)]
