"""Signed tokens: read by the deployment's secret, and handed out anew while they are used."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from synapse_stream.remote import tokens

if TYPE_CHECKING:
    from synapse_stream.remote.tokens import Claims

_MOST_KEPT = 1_000
_LONGEST = 4_096  # characters of a token
_DOTS = 2


class SignedTokens:
    """Knows what is signed with one secret. May be used from several threads."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._read: dict[str, Claims] = {}

    def read(self, token: str) -> Claims | None:
        """Return what a token says that is signed, be it over or not; None for any other text."""
        known = self._read.get(token)
        if known is not None or len(token) > _LONGEST or token.count(".") != _DOTS:
            return known
        found = tokens.read(token, self._secret)
        if found is not None:
            if len(self._read) >= _MOST_KEPT:
                self._read.clear()
            self._read[token] = found
        return found

    def sign(self, claims: Claims) -> str:
        """Return the token of some claims."""
        return tokens.sign(claims, self._secret)

    def session(self, claims: Claims, seconds: int) -> str:
        """Return a session, no other of which is the same; it is not renewed, and appends not."""
        until = min(claims.expires, int(time.time()) + seconds)
        own = {"session": secrets.token_hex(8), "life": None, "append": False}
        return self.sign(claims.model_copy(update={"expires": until, **own}))
