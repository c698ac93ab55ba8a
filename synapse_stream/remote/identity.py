"""Who a producer is: shown by the token that it reports with, without giving that away.

What a signed token says stands in its first two parts; who knows the secret makes the third one
from them. So a producer records those two, and a proof that it has the whole: its job and its own
name, signed with the token. Who has the secret makes the token anew, and the proof from it.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

from synapse_stream.errors import LogUnavailable
from synapse_stream.remote.bearer import Bearer

if TYPE_CHECKING:
    from synapse_stream.settings import Settings

_PARTS = 3


def identity_of(settings: Settings, job_id: str, producer: str) -> dict[str, str] | None:
    """Return what a producer records of itself; None without a signed token."""
    with suppress(LogUnavailable):
        token = Bearer(settings.token, settings.data_dir / "tokens").token or ""
        said = token.rpartition(".")[0]
        if len(token.split(".")) == _PARTS:
            return {"said": said, "proof": _proof(token, job_id, producer)}
    return None


def proved(identity: Any, job_id: str, producer: str, secret: str) -> str | None:
    """Return whose token a producer has, by name and id; None if the record does not prove it.

    Args:
        identity: as it is recorded, whatever that is.
        job_id: of the job that it stands in.
        producer: under whose name it stands.
        secret: that the deployment's tokens are signed with.
    """
    try:
        said, proof = str(identity["said"]), str(identity["proof"])
        signed = hmac.digest(secret.encode(), said.encode(), "sha256")
        token = f"{said}.{urlsafe_b64encode(signed).rstrip(b'=').decode()}"
        head, claims = (orjson.loads(urlsafe_b64decode(part + "==")) for part in said.split("."))
        is_proved = hmac.compare_digest(proof.encode(), _proof(token, job_id, producer).encode())
        is_for_it = head["alg"] == "HS256" and fnmatchcase(job_id, claims.get("jobs") or "*")
        return f"{claims['sub']} ({claims['jti']})" if is_proved and is_for_it else None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _proof(token: str, job_id: str, producer: str) -> str:
    key = sha256(token.encode()).digest()
    said = f"synapse-stream identity 1\n{job_id}\n{producer}\n".encode()
    return hmac.digest(key, said, "sha256").hex()
