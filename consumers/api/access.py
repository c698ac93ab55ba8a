"""Who may see what: callers by their tokens, and the sessions of browsers.

Without tokens everybody who reaches the port is the operator, so then only this machine must reach
it, and only by its own name: a foreign page whose name was made to lead here is refused.
"""

from __future__ import annotations

import hmac
import secrets
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from fastapi import Depends, Request
from pydantic import TypeAdapter, ValidationError

from consumers.api import parameters
from consumers.api.ended import EndedSessions
from consumers.api.problems import not_found
from consumers.api.tokens import Caller, Role, Token, local_token, own_key
from synapse_stream.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from synapse_stream.settings import Settings

COOKIE = "synapse_stream_session"
SESSION_SECONDS = 12 * 3600
ANYONE_HERE = Caller("this machine", Role.OPERATOR)

_VARIABLE = "SYNAPSE_STREAM_API_TOKENS"
_PARTS = 4
_TOKENS = TypeAdapter(list[Token])


class Access:
    """Knows callers by their tokens, compared in a time that tells nothing."""

    def __init__(
        self,
        tokens: Sequence[Token],
        *,
        key: Callable[[], bytes] | None = None,
        ended: EndedSessions | None = None,
        is_local: bool = False,
    ) -> None:
        """Know `tokens`.

        Args:
            tokens: of all callers.
            key: returns what only this deployment knows; else it is this process that does.
            ended: sessions that were signed out.
            is_local: True when the token is one that was made for this machine.
        """
        self._tokens = tokens
        self._make_key = key or (lambda: secrets.token_bytes(32))
        self._key: bytes | None = None
        self._ended = ended or EndedSessions(None)
        self.is_local = is_local

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
        for what in ({token.name for token in tokens}, {token.digest for token in tokens}):
            if len(what) < len(tokens):
                msg = f"{_VARIABLE} is not allowed: two tokens have the same name or secret"
                raise ConfigError(msg)
        home = settings.data_dir
        ended = EndedSessions(home / "api.ended") if tokens else None
        return cls(tokens, key=lambda: own_key(home / "api.key"), ended=ended)

    @classmethod
    def of_this_machine(cls, settings: Settings) -> Self:
        """Know only the token that stands in `api.token` of the data directory.

        Raises:
            ConfigError: it is not there, and cannot be made.
        """
        token = local_token(settings.token_file)
        ended = EndedSessions(settings.data_dir / "api.ended")
        return cls([token], ended=ended, is_local=True)

    @property
    def whence(self) -> str:
        """Say to somebody without a token where there is one."""
        if self.is_local:
            return "the token is in the file api.token, which `synapse-stream up` names"
        return "ask your operator for one"

    @property
    def demands_token(self) -> bool:
        """True when callers must prove who they are."""
        return bool(self._tokens)

    def by_token(self, token: str) -> Caller | None:
        """Return whose token it is, unless it has expired."""
        found = self._find(token)
        return None if found is None else found.caller

    def by_session(self, session: str) -> Caller | None:
        """Return whose session it is, unless it has ended or its token is no longer one."""
        name, until, *_ = [*session.split("."), ""]
        found = None
        for each in self._tokens:
            expected = self._sign(each, session) if each.name == name else ""
            if hmac.compare_digest(expected.encode(), session.encode(errors="replace")):
                found = each
        if found is None or found.is_over or not until.isdecimal() or time.time() >= int(until):
            return None
        return None if self._ended.has(session) else found.caller

    def open_session(self, token: str) -> str | None:
        """Return what a browser proves itself by for 12 hours; None when it is nobody's token."""
        found = self._find(token)
        if found is None:
            return None
        until = int(time.time()) + SESSION_SECONDS
        return self._sign(found, f"{found.name}.{until}.{secrets.token_hex(8)}")

    def end_session(self, session: str) -> None:
        """Have a session be none any more."""
        if self.by_session(session) is not None:
            self._ended.add(session, int(session.split(".")[1]))

    def checking(self, authorization: str | None, session: str | None) -> Callable[[], bool]:
        """Return what tells whether a caller that was known is one still."""
        if not self.demands_token:
            return lambda: True
        if authorization is not None:
            token = authorization.partition(" ")[2].strip()
            return lambda: self.by_token(token) is not None
        return lambda: session is not None and self.by_session(session) is not None

    def _find(self, token: str) -> Token | None:
        given, found = sha256(token.encode(errors="replace")).digest(), None
        for each in self._tokens:
            if hmac.compare_digest(each.digest, given) and not each.is_over:
                found = each
        return found

    def _sign(self, token: Token, session: str) -> str:
        """Return a session as it must be, by its first parts: so nobody has to keep it."""
        said = ".".join(session.split(".")[: _PARTS - 1])
        if self._key is None:
            self._key = self._make_key()
        signed = hmac.new(token.key(self._key), said.encode(errors="replace"), "sha256")
        return f"{said}.{signed.hexdigest()}"


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
