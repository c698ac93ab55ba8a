"""Keys, and anchors of what is archived, as the notary writes them."""

from __future__ import annotations

import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from consumers.audit.anchors import read_entry
from consumers.audit.signing import NotaryLoop, open_notary
from consumers.views.opening import open_databases
from synapse_stream.log.feeds import FeedLog
from synapse_stream.ports.anchors import open_anchors
from synapse_stream.settings import Settings
from synapse_stream.tlog.folder import LogFolder
from synapse_stream.tlog.notes import ED25519, SigningKey
from tests.support.logs import new_pem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from consumers.audit.notary import Notary
    from synapse_stream.tlog.notes import Key
    from tests.support.servers import TestServer
    from tests.support.tampering import Deployment


@pytest.fixture
def settings(server: TestServer, namespace: str, tmp_path: Path) -> Iterator[Settings]:
    """Have a log of anchors, which has begun."""
    anchored = Settings(
        redis_url=server.url,
        namespace=namespace,
        data_dir=tmp_path,
        partitions=1,
        anchors=tmp_path / "anchors",
        signing_key=private_key(),
    )
    init(anchored)
    yield anchored
    with server.client() as client:
        client.flushall()


def private_key() -> SecretStr:
    """Return a new signing key as PEM."""
    return SecretStr(new_pem().decode())


def log_key(settings: Settings) -> Key:
    """Return the verifier key of the log."""
    signed, secret = folder(settings).checkpoint(), settings.signing_key
    assert signed is not None
    assert secret is not None
    return SigningKey(secret.get_secret_value().encode()).key(signed.checkpoint.origin, ED25519)


def init(settings: Settings) -> list[str]:
    """Begin the log of anchors, as `anchors init` does."""
    with closing(open_anchors(settings)) as log:
        return log.begin()


@contextmanager
def notary_of(settings: Settings) -> Iterator[Notary]:
    """Open what signs."""
    with closing(open_databases(settings)) as databases, closing(FeedLog.open(settings)) as log:
        yield open_notary(settings, databases, log)


@contextmanager
def signing(settings: Settings) -> Iterator[None]:
    """Run the notary in a thread."""
    stop = threading.Event()
    thread = threading.Thread(target=NotaryLoop(settings).run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def anchor(deployment: Deployment) -> None:
    """Anchor what is archived, as a notary does that has just started.

    Raises:
        OSError: nothing was signed.
    """
    with notary_of(deployment.settings) as notary:
        notary.begin(range(deployment.settings.partitions))


def sign_removals(deployment: Deployment) -> None:
    """Sign the removals that are asked for."""
    with notary_of(deployment.settings) as notary:
        notary.look(lambda *_: (), time.monotonic())


def folder(settings: Settings) -> LogFolder:
    assert settings.anchors is not None
    return LogFolder(settings.anchors / settings.namespace)


def logged(settings: Settings) -> list[dict[str, Any]]:
    """Return what the log has behind its beginning."""
    log = folder(settings)
    signed = log.checkpoint()
    assert signed is not None
    return [read_entry(entry) for entry in log.tiles(signed.checkpoint.size).entries(1)]
