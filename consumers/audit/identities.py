"""Whose tokens the producers of a run had, as they recorded it and as far as that is proved."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from synapse_stream.errors import ConfigError
from synapse_stream.remote.identity import proved
from synapse_stream.remote.secret import read_private, secret_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from synapse_stream.settings import Settings


class Identities:
    """Proves identities with the secret of the deployment, where it is to be had."""

    def __init__(self, settings: Settings) -> None:
        self._secret = _secret(settings)

    def proved(self, job_id: str, recorded: Mapping[str, Any]) -> dict[str, str]:
        """Return by producer whose token it had, of those whose record proves that."""
        if self._secret is None:
            return {}
        found = {
            name: proved(identity, job_id, name, self._secret)
            for name, identity in recorded.items()
        }
        return {name: whose for name, whose in found.items() if whose is not None}

    def notes(self, recorded: Mapping[str, Any], known: Mapping[str, str]) -> Iterator[str]:
        """Yield what must be known of those that are not proved."""
        open_ones = sorted(recorded.keys() - known.keys())
        if open_ones and self._secret is None:
            yield "whose tokens producers had is not known: SYNAPSE_STREAM_TOKEN_SECRET proves it"
        elif open_ones:
            yield (
                "whose tokens these producers had is not proved by the secret that tokens are "
                f"signed with now: {', '.join(open_ones)}"
            )


def _secret(settings: Settings) -> str | None:
    """Return what tokens are signed with; none is made here."""
    if settings.token_secret is None:
        return read_private(settings.data_dir / "api.key")
    with suppress(ConfigError):
        return secret_of(settings)
    return None
