"""Every Redis key, and nothing else.

All keys of a job carry the hash tag of its partition, so one script may touch them on a Redis
Cluster. The tags' slots stand at equal distances, so that every node gets as many partitions as the
others, give or take one; the numbers alone would leave half of 16 nodes without any.
"""

from __future__ import annotations

import re
from binascii import crc_hqx
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from zlib import crc32

LONGEST_JOB_ID = 200
TRAIL = ".trail"
"""The job of the operators' acts; see `operating.trail`. No run can have this id."""

_SLOTS = 16_384  # of every Redis Cluster; a slot is CRC-16/XMODEM of the tag, modulo this
_PAIRS = tuple(map("".join, product("0123456789abcdefghijklmnopqrstuvwxyz", repeat=2)))

# White space, control and invisible characters, halves of surrogate pairs; slashes, which would
# change the path of the HTTP API, and braces, which have a meaning in the keys of a Redis Cluster.
_NOT_IN_JOB_ID = re.compile(
    r"[\s{}/\\\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


_NOT_KEPT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def is_kept(text: str) -> bool:
    """Tell whether a job of this id is projected, though no run of ours may open it."""
    return 0 < len(text) <= LONGEST_JOB_ID and _NOT_KEPT.search(text) is None


def is_job_id(text: str) -> bool:
    """Tell whether `text` can stand in a key, a path and a terminal, as the id of a run's job."""
    is_short = 0 < len(text) <= LONGEST_JOB_ID
    return is_short and text not in {".", "..", TRAIL} and _NOT_IN_JOB_ID.search(text) is None


@lru_cache(maxsize=4096)
def tag(partition: int, partitions: int) -> str:
    """Return the hash tag of a partition: its number, a dot and four characters.

    They are the first, in the order of `_PAIRS`, that put it into slot
    `partition * 16384 // partitions`.
    """
    slot, number = partition * _SLOTS // partitions, f"{partition}."
    for pair in _PAIRS:
        # A CRC is linear: of head and tail it is that of head and zeros, XOR that of the tail.
        head = crc_hqx(f"{number}{pair}\0\0".encode(), 0)
        tail = _tails().get((head ^ slot) % _SLOTS)
        if tail is not None:
            return f"{number}{pair}{tail}"
    msg = f"no tag puts partition {partition} of {partitions} into slot {slot}"
    raise ValueError(msg)


@lru_cache(maxsize=1)
def _tails() -> dict[int, str]:
    """Return the first pair by what it adds to a slot."""
    return {crc_hqx(pair.encode(), 0) % _SLOTS: pair for pair in reversed(_PAIRS)}


@dataclass(frozen=True, slots=True)
class Keys:
    """Key names of one deployment: its namespace and its fixed number of partitions."""

    namespace: str
    partitions: int

    @property
    def config(self) -> str:
        """Hash: what this deployment was created with; compared on every connect."""
        return f"{self.namespace}:config"

    def partition(self, job_id: str) -> int:
        """Return the partition of a job, 0 to `partitions` - 1."""
        return crc32(job_id.encode()) % self.partitions

    def _begin(self, partition: int) -> str:
        return f"{self.namespace}:{{{tag(partition, self.partitions)}}}"

    def _of(self, job_id: str) -> str:
        """Return what a job's keys begin with; what plugins may write begins otherwise."""
        begin = self._begin(self.partition(job_id))
        return f"{begin}:operators" if job_id == TRAIL else begin

    def job(self, job_id: str) -> str:
        """Stream: the job's batches."""
        return f"{self._of(job_id)}:job:{job_id}"

    def anew(self, job_id: str) -> str:
        """Stream: what takes the place of the job's, while that is written anew."""
        return f"{self._of(job_id)}:anew:{job_id}"

    def producers(self, job_id: str) -> str:
        """Hash: producer → its last number and the chain hash there."""
        return f"{self._of(job_id)}:producers:{job_id}"

    def book(self, job_id: str, door: str = "book") -> str:
        """String: what is known of a job whose reports have no numbers of their own, by door."""
        return f"{self._of(job_id)}:{door}:{job_id}"

    def once(self, job_id: str, hour: int) -> str:
        """Hash: the keys of what was recorded of such reports in an hour since the epoch."""
        return f"{self._of(job_id)}:once:{hour}:{job_id}"

    def feed(self, partition: int) -> str:
        """Stream: the partition's total order of (job id, entry id)."""
        return f"{self._begin(partition)}:feed"

    def trimmed(self, partition: int) -> str:
        """String: id of the last entry that was trimmed from the partition's feed."""
        return f"{self._begin(partition)}:trimmed"

    @property
    def revoked(self) -> str:
        """Hash: id of a token that counts no more → when that was said, in ms."""
        return f"{self.namespace}:revoked"

    @property
    def anchors(self) -> str:
        """Hash: `checkpoint` → the newest one of the log of anchors, as who signs remembers it."""
        return f"{self.namespace}:anchors"

    @property
    def retired(self) -> str:
        """Hash: projection that trimming no longer waits for → when that was said, in ms."""
        return f"{self.namespace}:retired"
