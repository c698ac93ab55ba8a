"""The log of anchors to its operators: the port `synapse_stream.ports.anchors.Anchors`."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from consumers.audit.anchors import beginning_of
from consumers.audit.memory import Memory
from consumers.audit.signing import open_guarded, signer_in
from consumers.errors import AnchorsRefused
from consumers.views.opening import open_databases
from synapse_stream.errors import ConfigError
from synapse_stream.log.feeds import FeedLog
from synapse_stream.tlog.notes import ED25519, SigningKey

if TYPE_CHECKING:
    from synapse_stream.settings import Settings
    from synapse_stream.tlog.notes import Key


class KeptAnchors:
    """Begins the log of one deployment, and changes its keys."""

    def __init__(self, settings: Settings) -> None:
        """Open the deployment of `settings`; nothing is connected yet.

        Raises:
            ConfigError: there is no key, or no place for anchors, or one is wrong.
        """
        self._settings = settings
        self._folder, self._signer = signer_in(settings)
        self._databases = open_databases(settings)
        self._log = FeedLog.open(settings)

    def begin(self) -> list[str]:
        """Begin a log, where there is none or it is not what is remembered.

        What lies in its place is moved beside it.
        """
        self._log.check()
        guarded = open_guarded(self._settings, self._databases, self._log)
        try:
            guarded.check()
        except AnchorsRefused:
            pass
        else:
            return []
        folder, time_ms = self._folder.path, time.time_ns() // 1_000_000
        remembered = Memory(self._databases, self._log, self._settings).recall().values()
        last = max((one.checkpoint for one in remembered), key=lambda one: one.size, default=None)
        said = []
        if folder.exists():
            aside = folder.with_name(f"{folder.name}.{time_ms}")
            folder.rename(aside)
            said.append(f"what was in {folder} is now in {aside}")
        if last is not None:
            said.append(f"{last.size} entries of {last.origin} were remembered")
        namespace = self._settings.namespace
        origin = f"synapse-stream/{namespace}/{secrets.token_hex(8)}"
        before = None if last is None else {"origin": last.origin, "size": last.size}
        body = {"namespace": namespace, "time_ms": time_ms, "before": before}
        guarded.begin(origin, beginning_of(body))
        return [*said, f"verifier key: {self._signer.key(origin, ED25519)}"]

    def let_in(self, pem: bytes) -> str:
        """Have a further private key (PEM) sign the log; return its verifier key."""
        new = SigningKey(pem)
        guarded = open_guarded(self._settings, self._databases, self._log)
        signed = guarded.change_keys(new.public, new)
        return str(new.key(signed.checkpoint.origin, ED25519))

    def revoke(self, key: Key) -> int:
        """Have a key sign no more; return how many entries the log has then."""
        if key.public == self._signer.public:
            msg = "the key that signs cannot revoke itself: let another one in, and revoke by that"
            raise ConfigError(msg)
        guarded = open_guarded(self._settings, self._databases, self._log)
        return guarded.change_keys(key.public).checkpoint.size

    def close(self) -> None:
        """Disconnect."""
        self._log.close()
        self._databases.close()


def open_anchors(settings: Settings) -> KeptAnchors:
    """Open the log of anchors of a deployment; raises as `KeptAnchors`."""
    return KeptAnchors(settings)
