"""A reader of archive blocks, from docs/audit.md alone: nothing of Synapse Stream is imported."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from itertools import accumulate
from typing import Any

import zstandard

from tests.audit.independent import batch_root

NAMES = ["producers", "ms", "seq", "who", "first", "count", "salts", "form", "size", "hashed"]


def read(job: str, body: bytes, *, is_loose: bool) -> list[dict[str, Any]] | None:
    """Return the entries of a block; None where it is not as a block must be."""
    plain = body if is_loose else unpacked(body)
    if plain is None:
        return None
    stop = 4 + int.from_bytes(plain[:4], "little")
    try:
        head = json.loads(plain[4:stop])
    except ValueError:
        return None
    text = json.dumps(head, separators=(",", ":"), ensure_ascii=False).encode()
    if (
        list(head) != NAMES
        or text != plain[4:stop]
        or min(head["size"]) < 0
        or min(head["salts"]) < 16
    ):
        return None
    ms, seq, first = (list(accumulate(head[name])) for name in ("ms", "seq", "first"))
    ids = list(zip(ms, seq, strict=True))
    hashed = head["hashed"] if head["hashed"] is not None else list(range(len(ids)))
    place = stop + 32 * len(hashed)
    begin = place + sum(head["salts"])
    if begin + sum(head["size"]) != len(plain) or sorted({*ids}) != ids:
        return None
    hashes = {place: plain[stop + 32 * i : stop + 32 * (i + 1)] for i, place in enumerate(hashed)}
    before: dict[str, bytes] = {}
    found = []
    for i, size in enumerate(head["size"]):
        payload, begin = plain[begin : begin + size], begin + size
        name, last = head["producers"][head["who"][i]], first[i] + head["count"][i] - 1
        salts, place = plain[place : place + head["salts"][i]], place + head["salts"][i]
        link = hashes.get(i)
        if link is None:
            header = f"synapse-stream 1\n{job}\n{name}\n{first[i]}\n{last}\n".encode()
            link = sha256(before[name] + header + batch_root(salts, payload)).digest()
        before[name] = link
        entry = {"id": f"{ms[i]}-{seq[i]}", "p": name, "n": first[i], "m": last, "h": link.hex()}
        is_frame = head["form"][i] == 1
        lines = {"z": b64encode(payload).decode()} if is_frame else {"d": payload.decode()}
        found.append(entry | {"s": salts.hex()} | lines)
    return found


def unpacked(body: bytes) -> bytes | None:
    """Return what is in one zstd frame of at most 16 MiB; None where it is none, or not alone."""
    try:
        if zstandard.frame_content_size(body) > 16 << 20:
            return None
        frame = zstandard.ZstdDecompressor().decompressobj()
        data: bytes = frame.decompress(body)
    except zstandard.ZstdError:
        return None
    return data if frame.eof and not frame.unused_data else None
