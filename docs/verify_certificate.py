"""Verify a certificate of `synapse-stream certify`, offline and by nothing of Synapse Stream.

    python verify_certificate.py FILE LOG_KEY [WITNESS_KEY ...] [--require-witnesses N]

Keys are verifier keys (c2sp.org/signed-note): get them from whoever holds the private ones, not
from the file. Needs Python 3.9 and the package cryptography. Exit status 0: what is printed holds.
"""

import base64
import hashlib
import json
import pathlib
import struct
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def sha256(content):
    return hashlib.sha256(content).digest()


def demand(is_true, otherwise):
    if not is_true:
        sys.exit(f"NOT VERIFIED: {otherwise}")


def signed_at(note, vkey):
    """Return when a key has signed a note (c2sp.org/signed-note): 0 for unknown, None for never."""
    name, key_id, body = vkey.split("+", 2)
    kind, public = base64.b64decode(body)[0], base64.b64decode(body)[1:]
    demand(sha256(f"{name}\n".encode() + bytes([kind]) + public)[:4].hex() == key_id, f"key {vkey}")
    text, _, lines = note.rpartition("\n\n")
    for line in lines.splitlines():
        signer, _, content = line.removeprefix("— ").rpartition(" ")
        signature = base64.b64decode(content)
        if (signer, signature[:4].hex()) != (name, key_id):
            continue
        time, message, signature = 0, f"{text}\n", signature[4:]
        if kind == 4:  # cosignature/v1 of c2sp.org/tlog-cosignature
            (time,) = struct.unpack(">Q", signature[:8])
            message, signature = f"cosignature/v1\ntime {time}\n{message}", signature[8:]
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message.encode())
        except InvalidSignature:
            sys.exit(f"NOT VERIFIED: the signature of {name} is wrong")
        return time
    return None


def root_of(leaf, number, size, proof):
    """Return the root that a proof of inclusion leads to (RFC 9162, section 2.1.3.2)."""
    last, found = size - 1, leaf
    demand(0 <= number <= last, f"there is no entry {number} of {size}")
    for one in map(base64.b64decode, proof):
        demand(last, "the proof is too long")
        if number & 1 or number == last:
            found = sha256(b"\1" + one + found)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            found = sha256(b"\1" + found + one)
        number, last = number >> 1, last >> 1
    demand(not last, "the proof is too short")
    return found


def anchored(body, log_key, *words):
    """Return the anchor of a run, and print where it is in the log."""
    required = int(words[-1]) if words[-2:-1] == ("--require-witnesses",) else 0
    witnesses = [word for word in words if "+" in word]
    demand(body["anchor"] and body["checkpoints"], "there is no checkpoint")
    entry, number = body["anchor"]["entry"], body["anchor"]["number"]
    anchor = json.loads(entry)
    said = (anchor["v"], anchor["type"], anchor["job"])
    demand(said == (1, "anchor", body["job"]), f"it is about {said}")
    cosigned = {}
    for one in body["checkpoints"]:
        origin, size, root = one["note"].rpartition("\n\n")[0].split("\n")
        demand(origin == log_key.partition("+")[0], f"it is in the log {origin}")
        demand(signed_at(one["note"], log_key) is not None, "the log has not signed its checkpoint")
        found = root_of(sha256(b"\0" + entry.encode()), number, int(size), one["proof"])
        demand(found == base64.b64decode(root), "the anchor is not in the tree of the checkpoint")
        times = {key: signed_at(one["note"], key) for key in witnesses}
        cosigned.update({key: time for key, time in times.items() if time is not None})
    demand(len(cosigned) >= required, f"{len(cosigned)} of {required} witnesses have cosigned it")
    print(f"job {body['job']}: {anchor['entries']} entries with the root {anchor['root']}")
    print(f"are entry {number} of the log {origin}, as of {anchor['time_ms']} ms")
    for key, time in cosigned.items():
        print(f"cosigned by {key.partition('+')[0]} at {time} s")
    return anchor


def main(path, *words):
    body = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    demand(body["synapse_stream_certificate"] == 1, "it is no certificate of version 1")
    anchor = anchored(body, *words)
    heads = body["heads"]
    text = json.dumps(heads, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    demand(heads is None or sha256(text.encode()).hex() == anchor["heads"], "the heads are others")
    for name, (last, head) in (heads or {}).items():
        print(f"producer {name}: events 0 to {last}, chain hash {head}")
    print("as its operator says:", body["verified"], "lost", body["lost"], "gave up", body["shed"])
    print("as its operator says, sealed at these counts, else at last number + 1:", body["seals"])


if __name__ == "__main__":
    demand(len(sys.argv) > 2, __doc__)
    main(*sys.argv[1:])
