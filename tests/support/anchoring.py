"""Keys, and anchors of what is archived, as an owner of the partitions writes them."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from consumers.audit.anchoring import anchors_of, signer_of
from consumers.audit.memory import anchors_to_sign
from consumers.audit.notary import Notary
from consumers.views.archive.raw import RawArchive
from consumers.views.opening import open_store
from synapse_stream.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.support.servers import TestServer
    from tests.support.tampering import Deployment


@pytest.fixture
def settings(server: TestServer, namespace: str, tmp_path: Path) -> Iterator[Settings]:
    """Have anchors written to a folder."""
    yield Settings(
        redis_url=server.url,
        namespace=namespace,
        data_dir=tmp_path,
        partitions=1,
        anchors=tmp_path / "anchors",
        signing_key=private_key(),
    )
    with server.client() as client:
        client.flushall()


def private_key() -> SecretStr:
    """Return a new signing key as PEM."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return SecretStr(pem.decode())


def anchor(deployment: Deployment) -> None:
    """Anchor what is archived, as an owner that takes over does."""
    settings, store = deployment.settings, open_store(deployment.settings)
    signer, anchors = signer_of(settings), anchors_of(settings)
    assert signer is not None
    assert anchors is not None
    for partition in range(settings.partitions):
        Notary(anchors, signer, RawArchive(store.databases), settings, partition).look(
            pause_seconds=0
        )
    store.close()


def sign(deployment: Deployment) -> None:
    """Anchor what is archived as the consumer does, which remembers what it has signed.

    Raises:
        OSError: nothing was signed.
    """
    settings = deployment.settings
    signer, anchors = signer_of(settings), anchors_to_sign(settings)
    assert signer is not None
    assert anchors is not None
    with closing(open_store(settings)) as store:
        found = {
            partition: list(RawArchive(store.databases).manifests(partition))
            for partition in range(settings.partitions)
        }
    for partition, manifests in found.items():
        now_ms = time.time_ns() // 1_000_000

        def lines(
            before: bytes | None, manifests: Any = manifests, now_ms: int = now_ms
        ) -> Iterable[bytes]:
            return signer.lines(settings.namespace, manifests, time_ms=now_ms, before=before)

        anchors.append(settings.namespace, partition, lines)
