"""A verifier of its own, from docs/audit.md alone: nothing of Synapse Stream is imported."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from hashlib import sha256, shake_256
from typing import Any

import zstandard
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SHARED = rb'\{"seq":\d+,"time":\d+,"type":"(?:metrics|progress)"'


def verify(
    job: str,
    entries: list[dict[str, Any]],
    log: dict[str, Any],
    acts: list[dict[str, Any]] | None = None,
) -> tuple[str, dict[str, int]]:
    """Return the first fault, or "" for none, and up to which number each producer is anchored."""
    last: dict[str, int] = {}
    leaves: list[bytes] = []
    lines: dict[tuple[str, int], bytes] = {}
    sealed: dict[str, int] = {}
    own: dict[str, int] = {}
    heads: dict[tuple[str, int], str] = {}
    newest: dict[str, tuple[int, str]] = {}
    after, sure = [written({})], [dict(last)]
    for entry in entries:
        producer, end, data = entry["p"], entry["m"], lines_of(entry)
        before = heads.get((producer, entry["n"] - 1), "00" * 32)
        fault = batch_fault(job, entry, data, last.get(producer, -1), before)
        events = [json.loads(line) for line in data.split(b"\n")[:-1]] if not fault else []
        fault = fault or lines_fault(entry, data, events, lines)
        if fault:
            return f"{fault} of {producer} at {entry['id']}", {}
        name = f"batch {entry['id']}\n{producer}\n{entry['n']}\n{end}\n".encode()
        leaves.append(sha256(b"\0" + name + bytes.fromhex(entry["h"])).digest())
        if events[-1]["type"] in {"end", "producer_lost"}:
            sealed[producer] = events[-1].get("count", end + 1)
        own |= taken_name(events[0]) if entry["n"] == 0 else {}
        last[producer] = end
        heads[producer, end] = entry["h"]
        newest[producer] = (end, entry["h"])
        after.append(written(newest))
        sure.append(dict(last))
    broken = [producer for producer, count in sealed.items() if last[producer] + 1 != count]
    broken += [producer for producer, count in own.items() if last.get(producer, -1) < count]
    if broken:
        return f"seal of {broken[0]}", {}
    gone = [one for entry in entries for one in erased(entry)]
    if sorted(gone) != sorted(
        (a["producer"], a["first"], a["last"], a["digest"]) for a in acts or ()
    ):
        return "erasure of other lines, or without an act", {}
    return judge_log(job, after, leaves, log, sure)


def written(heads: dict[str, tuple[int, str]]) -> str:
    """Return the hash of a run's heads."""
    text = json.dumps(heads, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()


def root(leaves: list[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    middle = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha256(b"\1" + root(leaves[:middle]) + root(leaves[middle:])).digest()


def batch_root(salts: bytes, data: bytes) -> bytes:
    """Return the root over the salted leaves of a batch; nothing where there are other lines."""
    if len(salts) == 16:
        pieces = re.findall(rb"(?:%b[^\n]*\n)+|[^\n]*\n" % SHARED, data)
        stream = shake_256(salts).digest(16 * len(pieces))
        salted = [stream[16 * i : 16 * i + 16] + piece for i, piece in enumerate(pieces)]
        return root([sha256(b"\0" + each).digest() for each in salted])
    lines, leaves = re.findall(rb"[^\n]*\n", data), []
    for gone, count, word in parts(salts):
        some, lines = b"".join(lines[:count]), lines[count:]
        leaves.append(word if gone else sha256(b"\0" + word + some).digest())
    return root(leaves)


def parts(salts: bytes) -> list[tuple[int, int, bytes]]:
    """Return of each leaf whether it was erased, how many lines it has, and its salt or leaf."""
    found = []
    while len(salts) > 16:
        size = 37 if salts[0] else 21
        found.append((salts[0], int.from_bytes(salts[1:5], "little"), salts[5:size]))
        salts = salts[size:]
    return found


def erased(entry: dict[str, Any]) -> list[tuple[str, int, int, str]]:
    """Return what was erased of a batch: producer, first and last number, digest of the lines."""
    lines = re.findall(rb"[^\n]*\n", lines_of(entry))
    found, number = [], entry["m"] + 1 - len(lines)
    for gone, count, _ in parts(bytes.fromhex(entry["s"])):
        if gone:
            digest = sha256(b"".join(lines[:count])).hexdigest()
            found.append((entry["p"], number, number + count - 1, digest))
        number, lines = number + count, lines[count:]
    return found


def batch_fault(job: str, entry: dict[str, Any], data: bytes, last: int, before: str) -> str:
    """Return what is wrong with a batch, given its producer's last number and the hash before."""
    first, end = entry["n"], entry["m"]
    counts = [count for _, count, _ in parts(bytes.fromhex(entry["s"]))]
    if not data.endswith(b"\n") or (counts and sum(counts) != data.count(b"\n")):
        return "entry"
    if first > last + 1 or end <= last:
        return "numbers"
    header = f"synapse-stream 1\n{job}\n{entry['p']}\n{first}\n{end}\n".encode()
    lines_root = batch_root(bytes.fromhex(entry["s"]), data)
    link = sha256(bytes.fromhex(before) + header + lines_root).hexdigest()
    return "" if link == entry["h"] else "chain"


def lines_fault(
    entry: dict[str, Any],
    data: bytes,
    events: list[dict[str, Any]],
    known: dict[tuple[str, int], bytes],
) -> str:
    """Return what is wrong with its lines; `known` are those by producer and number."""
    first, end = entry["n"], entry["m"]
    if len(events) != end - first + 1 and not stands_for(events, first, end):
        return "entry"
    numbers = list(range(end + 1 - len(events), end + 1))
    if [event["seq"] for event in events] != numbers:
        return "numbers of lines"
    pairs = zip(numbers, data.split(b"\n"), strict=False)
    again = any(known.setdefault((entry["p"], number), line) != line for number, line in pairs)
    return "numbers again" if again else ""


def lines_of(entry: dict[str, Any]) -> bytes:
    """Return the lines of a batch; none where they are not one zstd frame and nothing else."""
    if "d" in entry:
        return str(entry["d"]).encode()
    frame = zstandard.ZstdDecompressor().decompressobj()
    try:
        data: bytes = frame.decompress(b64decode(entry["z"]))
    except zstandard.ZstdError:
        return b""
    return data if frame.eof and not frame.unused_data else b""


def taken_name(event: dict[str, Any]) -> dict[str, int]:
    return {event["producer"]: event["last"]} if event["type"] == "resumed" else {}


def stands_for(events: list[dict[str, Any]], first: int, last: int) -> bool:
    (event, *others) = events
    return not others and (event["type"], event["first"], event["last"]) == ("loss", first, last)


def judge_log(
    job: str, heads: list[str], leaves: list[bytes], log: dict[str, Any], sure: list[dict[str, int]]
) -> tuple[str, dict[str, int]]:
    """Judge the log's checkpoint, and what its entries tell of a job.

    `heads` and `sure` have the hash of the job's heads, and its last numbers, by entries.
    """
    found = [entry.encode() for entry in log["entries"]]
    over = b64encode(root([sha256(b"\0" + entry).digest() for entry in found])).decode()
    name, _, rest = log["key"].partition("+")
    public = b64decode(rest.partition("+")[2])
    text, _, below = log["checkpoint"].partition("\n\n")
    (line,) = below.splitlines()
    signature = b64decode(line.removeprefix(f"— {name} "))
    try:
        key = Ed25519PublicKey.from_public_bytes(public[1:])
        key.verify(signature[4:], f"{text}\n".encode())
    except InvalidSignature:
        return "signature of the checkpoint", {}
    if text != f"{name}\n{len(found)}\n{over}":
        return "root of the log", {}
    known: dict[str, int] = {}
    for number, body in enumerate(map(json.loads, found)):
        if (body["type"] == "beginning") != (number == 0):
            return f"place of entry {number}", {}
        if body.get("job") != job:
            continue
        size = body["entries"]
        if size > len(leaves) or (body["root"], body["heads"]) != (
            root(leaves[:size]).hex(),
            heads[size],
        ):
            return f"anchor {number}", {}
        known = sure[size]
    return "", known
