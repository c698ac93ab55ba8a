"""Which tokens were revoked: kept on the server, so that every API process hears of it."""

from __future__ import annotations

from synapse_stream.log.feeds import FeedLog

KEPT_MS = 401 * 24 * 3600 * 1000
"""No signed token lives longer; see `remote.tokens`."""


class RevokingLog(FeedLog):
    """A log that also keeps ids of revoked tokens."""

    def revoke(self, token_id: str) -> None:
        """Note an id, and forget those that no token can bear any more."""
        now_ms = self.now_ms()
        key = self.keys.revoked
        self._command("revoking a token", "HSET", key, token_id, now_ms)
        for old, since in self._revoked().items():
            if since < now_ms - KEPT_MS:
                self._command("forgetting a token", "HDEL", key, old)

    def revoked(self) -> list[str]:
        """Return the ids."""
        return list(self._revoked())

    def _revoked(self) -> dict[str, int]:
        found = self._command("looking for revoked tokens", "HGETALL", self.keys.revoked)
        return {name.decode(errors="replace"): int(since) for name, since in found.items()}
