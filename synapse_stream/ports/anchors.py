"""The port through which the log of anchors is begun, and its keys are changed.

Who has the store is found through an entry point, as with `ports.views`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from synapse_stream.ports.finding import load_entry

if TYPE_CHECKING:
    from synapse_stream.settings import Settings
    from synapse_stream.tlog.notes import Key


class Anchors(Protocol):
    """The log of a deployment, to whoever has the key that signs it.

    Raises of every method:
        ConfigError: there is no key here, or no place for anchors, or one is wrong.
        LogUnavailable: the server did not answer.
        SynapseStreamError: the log is not what is remembered, or could not be written.
    """

    def begin(self) -> list[str]:
        """Begin a log, where there is none or it is not what is remembered.

        Returns:
            What to tell people, the new verifier key last; nothing where all is as it should be.
        """

    def let_in(self, pem: bytes) -> str:
        """Have a further private key (PEM) sign the log; return its verifier key."""

    def revoke(self, key: Key) -> int:
        """Have a key sign no more; return how many entries the log has then."""

    def close(self) -> None:
        """Disconnect."""


def open_anchors(settings: Settings) -> Anchors:
    """Open the log of anchors of a deployment.

    Raises:
        ConfigError: what serves it is not installed, or a setting is wrong.
    """
    anchors: Anchors = load_entry("synapse_stream.anchors")(settings)
    return anchors
