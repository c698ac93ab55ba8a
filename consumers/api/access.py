"""Who may see what: callers by their tokens, and the sessions of browsers.

Without tokens everybody who reaches the port is the operator, so then only this machine must reach
it, and only by its own name: a foreign page whose name was made to lead here is refused.
"""

from __future__ import annotations

import hmac
import secrets
import time
from datetime import UTC, datetime
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

from pydantic import TypeAdapter, ValidationError

from consumers.api.ended import EndedSessions
from consumers.api.problems import Problem
from consumers.api.signed import SignedTokens
from consumers.api.tokens import Caller, Token, caller_of, local_token
from synapse_stream.errors import ConfigError
from synapse_stream.remote.secret import own_secret, read_setting, secret_of
from synapse_stream.remote.tokens import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from synapse_stream.remote.tokens import Claims
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
        signed: SignedTokens | None = None,
        is_local: bool = False,
    ) -> None:
        """Know `tokens`, and those that are signed.

        Args:
            tokens: of all callers that are listed.
            key: returns what only this deployment knows; else it is this process that does.
            ended: sessions that were signed out.
            signed: knows tokens that are signed; None: there are none.
            is_local: True when the token is one that was made for this machine.
        """
        self._tokens = tokens
        self.signed = signed
        """Those that are signed, if there can be any."""
        self.is_revoked: Callable[[str], bool] = lambda _: False
        """Tells by its id whether a token counts no more; that of a listed one is its name."""
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
        text = read_setting(_VARIABLE, given.get_secret_value()) if given else "[]"
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
        is_closed = tokens or settings.token_secret
        return cls(
            tokens,
            key=lambda: own_secret(home / "api.key").encode(),
            ended=EndedSessions(home / "api.ended") if is_closed else None,
            signed=SignedTokens(secret_of(settings)) if is_closed else None,
        )

    @classmethod
    def of_this_machine(cls, settings: Settings) -> Self:
        """Know only the token that stands in `api.token` of the data directory.

        Raises:
            ConfigError: it is not there, and cannot be made.
        """
        token = local_token(settings.token_file)
        ended = EndedSessions(settings.data_dir / "api.ended")
        return cls([token], ended=ended, signed=SignedTokens(secret_of(settings)), is_local=True)

    def refusal(self, why: str | None = None) -> Problem:
        """Return the answer to who is no caller: why, or that a token is needed, and whence."""
        detail = (
            why or "a token is needed: as `Authorization: Bearer TOKEN`, or sign in on the page"
        )
        challenge = {"WWW-Authenticate": 'Bearer realm="synapse-stream"'}
        return Problem(HTTPStatus.UNAUTHORIZED, f"{detail}; {self.whence}", headers=challenge)

    @property
    def whence(self) -> str:
        """Say to somebody without a token where there is one."""
        if self.is_local:
            return "the token is in the file api.token, which `synapse-stream up` names"
        return "ask your operator for one"

    @property
    def demands_token(self) -> bool:
        """True when callers must prove who they are."""
        return bool(self._tokens or self.signed)

    def by_token(self, token: str) -> Caller | None:
        """Return whose token it is, unless it is over."""
        found = self._find(token)
        if found is not None:
            return found.caller
        claims = self._claims(token)
        return None if claims is None or claims.session else self._caller_by(claims)

    def why_over(self, token: str) -> str | None:
        """Say of a token that was one why it is none any more; None if it never was."""
        claims = self._claims(token)
        return None if claims is None else self._over(claims)

    def by_session(self, session: str) -> Caller | None:
        """Return whose session it is, unless it has ended or its token is no longer one."""
        claims = self._claims(session)
        if claims is None:
            found = self._by_listed(session)
        else:
            found = self._caller_by(claims) if claims.session else None
        return None if self._ended.has(session) else found

    def open_session(self, token: str) -> str | None:
        """Return what a browser proves itself by for 12 hours; None when it is nobody's token."""
        found, claims = self._find(token), self._claims(token)
        if self.signed and claims and not (claims.session or self._over(claims)):
            return self.signed.session(claims, SESSION_SECONDS)
        if found is None:
            return None
        until = int(time.time()) + SESSION_SECONDS
        return self._sign(found, f"{found.name}.{until}.{secrets.token_hex(8)}")

    def end_session(self, session: str) -> None:
        """Have a session be none any more."""
        if self.by_session(session) is not None:
            claims = self._claims(session)
            self._ended.add(session, claims.expires if claims else int(session.split(".")[1]))

    def why_no_more(self, token: str | None, session: str | None) -> str | None:
        """Say of what a caller was known by, either of them, why it counts no more; None: it does.

        Of both the token, as when a caller becomes known.
        """
        if token is not None:
            if self.by_token(token) is not None:
                return None
            return self.why_over(token) or "the token is over"
        if self.by_session(session or "") is not None:
            return None
        return self.why_over(session or "") or "the session is over"

    def _by_listed(self, session: str) -> Caller | None:
        """Return whose session it is that was opened with a token of the list."""
        name, until, *_ = [*session.split("."), ""]
        if not until.isdecimal() or time.time() >= int(until):
            return None
        found = None
        for each in self._tokens:
            expected = self._sign(each, session) if each.name == name else ""
            if hmac.compare_digest(expected.encode(), session.encode(errors="replace")):
                found = each
        return found.caller if found is not None and self._counts(found) else None

    def _find(self, token: str) -> Token | None:
        given, found = sha256(token.encode(errors="replace")).digest(), None
        for each in self._tokens:
            if hmac.compare_digest(each.digest, given) and self._counts(each):
                found = each
        return found

    def _counts(self, token: Token) -> bool:
        return not (token.is_over or self.is_revoked(token.name))

    def _caller_by(self, claims: Claims) -> Caller | None:
        return None if self._over(claims) else caller_of(claims)

    def _claims(self, token: str) -> Claims | None:
        return self.signed.read(token) if self.signed else None

    def _over(self, claims: Claims) -> str | None:
        """Return why a signed token counts no more."""
        if self.is_revoked(claims.id):
            return f"the token {claims.name} ({claims.id}) was revoked"
        if claims.expires <= time.time():
            when = datetime.fromtimestamp(claims.expires, UTC)
            return f"the token {claims.name} ({claims.id}) expired at {when:%Y-%m-%dT%H:%M:%SZ}"
        return None

    def _sign(self, token: Token, session: str) -> str:
        """Return a session as it must be, by its first parts: so nobody has to keep it."""
        said = ".".join(session.split(".")[: _PARTS - 1])
        if self._key is None:
            self._key = self._make_key()
        signed = hmac.new(token.key(self._key), said.encode(errors="replace"), "sha256")
        return f"{said}.{signed.hexdigest()}"


def _place(parts: tuple[int | str, ...]) -> str:
    return ".".join(map(str, parts)) or "the whole"
