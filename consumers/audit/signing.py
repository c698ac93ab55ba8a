"""Making anchors: who holds the private key signs what the archive has of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from consumers.audit.anchors import MISSING, PURPOSE, VERSION, digest, line_of
from synapse_stream.entries.tree import Tree
from synapse_stream.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_WRONG_KEY = "SYNAPSE_STREAM_SIGNING_KEY is no Ed25519 private key in PEM without a password"


class Signer:
    """Makes anchors with one private key."""

    def __init__(self, pem: bytes) -> None:
        """Take an Ed25519 key as PKCS 8 in PEM.

        Raises:
            ConfigError: it is none, or `cryptography` is not installed.
        """
        try:
            from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - an extra
            from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
                Ed25519PrivateKey,
            )
            from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
                load_pem_private_key,
            )
        except ModuleNotFoundError as error:
            raise ConfigError(MISSING) from error
        try:
            key = load_pem_private_key(pem, None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            msg = f"{_WRONG_KEY}: {error}"
            raise ConfigError(msg) from None
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigError(_WRONG_KEY)
        self._key = key
        self.public = key.public_key().public_bytes_raw()

    def line(
        self,
        namespace: str,
        job_id: str,
        manifest: bytes,
        *,
        time_ms: int,
        before: bytes | None,
        is_removal: bool = False,
    ) -> bytes:
        """Return the anchor of a job as the archive's manifest has it, behind the line `before`.

        That of a removal says that all these entries are about to be removed from the archive.

        Raises:
            ValueError: the manifest has no tree, since entries cannot be read, or is damaged.
            OSError: the line before is no anchor.
        """
        content = orjson.loads(manifest)
        body = {
            "v": VERSION,
            "no": _following(before),
            "namespace": namespace,
            "job": job_id,
            "producers": {
                name: [mark["last"], mark["hash"]] for name, mark in content["producers"].items()
            },
            "events": content["events"],
            "entries": content["entries"],
            "root": tree_of(content).root().hex(),
            "position": "{}-{}".format(*content["last"]),
            "time_ms": time_ms,
            "previous": None if before is None else digest(before),
            "key": self.public.hex(),
        }
        if is_removal:
            body["removed"] = True
        signature = self._key.sign(PURPOSE + line_of(body))
        return line_of({**body, "signature": signature.hex()})

    def lines(
        self,
        namespace: str,
        manifests: Iterable[tuple[str, bytes]],
        *,
        time_ms: int,
        before: bytes | None,
        is_removal: bool = False,
    ) -> Iterator[bytes]:
        """Yield an anchor a job, given with its manifest; the first follows the line `before`."""
        for job_id, manifest in manifests:
            before = self.line(
                namespace,
                job_id,
                manifest,
                time_ms=time_ms,
                before=before,
                is_removal=is_removal,
            )
            yield before


def tree_of(manifest: Mapping[str, Any]) -> Tree:
    """Return the tree over the entries that a manifest tells of.

    Raises:
        ValueError: it has none.
    """
    try:
        return Tree(manifest["entries"], bytes.fromhex(manifest["tree"]))
    except (AttributeError, KeyError, TypeError) as error:
        msg = "the archive cannot read all that it has of this job; `verify` says what"
        raise ValueError(msg) from error


def _following(before: bytes | None) -> int:
    """Return the number of the line behind a line."""
    try:
        return 0 if before is None else int(orjson.loads(before)["no"]) + 1
    except (ValueError, KeyError, TypeError) as error:
        msg = f"the last line is no anchor, so nothing is signed behind it: {before!r:.100}"
        raise OSError(msg) from error
