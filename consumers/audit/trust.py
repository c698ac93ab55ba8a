"""How far the anchors of a deployment can be believed: are all there that are remembered?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from consumers.audit.anchoring import believed, log_of, witnesses_of
from consumers.audit.anchors import (
    ANCHOR,
    BEGINNING,
    KEY,
    REMOVAL,
    REVOCATION,
    of_anchor,
    read_entry,
    vouches_for_removal,
)
from consumers.audit.certificate import Evidence
from consumers.audit.witnessed import Witnessed
from synapse_stream.entries.tree import Tree
from synapse_stream.errors import ConfigError, DecodeError
from synapse_stream.ports.audit import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumers.audit.anchors import Anchor
    from consumers.audit.memory import Memory
    from consumers.audit.ring import Ring
    from synapse_stream.settings import Settings
    from synapse_stream.tlog.checkpoint import Checkpoint, SignedCheckpoint
    from synapse_stream.tlog.folder import LogFolder

_NEITHER = "there are no anchors: a cut tail or a re-chained suffix would not be found"
_NO_PLACE = f"{_NEITHER}; a key is set, but no place for them"
_NO_KEY = "there is no key, so no anchor was checked: a re-chained suffix would not be found"
_MOST_FINDINGS = 10  # of a log; where much is wrong, the first ones tell


class Trust:
    """Reads the log of anchors once. What it cannot read it does not believe."""

    def __init__(self, settings: Settings, memory: Memory, *, witnesses: int = 0) -> None:
        """Take the settings of a deployment and who remembers; nothing is read yet.

        So many `witnesses` must vouch for the log.

        Raises:
            ConfigError: a key is wrong, or fewer witnesses are known.
        """
        self._believed = believed(settings)
        self._log = log_of(settings)
        known = witnesses_of(settings)
        if witnesses > len(known):
            msg = f"{witnesses} witnesses are required, SYNAPSE_STREAM_WITNESSES names {len(known)}"
            raise ConfigError(msg)
        self._witnessed = Witnessed(self._log, known, witnesses) if self._log else None
        self._newest: dict[str, int] = {}
        """By job the number of its newest anchor in the log."""
        self._memory = memory
        self._is_read = False
        self._jobs: dict[str, list[bytes]] = {}
        """By job its anchors, as they stand there."""
        self._signed: SignedCheckpoint | None = None
        self.findings: list[Finding] = []
        """What is wrong with the log."""
        self._doubts: list[str] = []
        self.notes: list[str] = []
        """What must be known of the anchors, though it is no doubt."""

    def read(self) -> None:
        """Read the anchors, if that was not done.

        Raises:
            OSError: they cannot be read, or nobody could be asked.
        """
        if self._is_read:
            return
        if self._log is None:
            self.notes += [_NEITHER] if self._believed is None else []
            self._doubts += [] if self._believed is None else [_NO_PLACE]
        elif self._believed is None:
            self._doubts.append(_NO_KEY)
        else:
            self._read(self._log)
        self._is_read = True

    def of(self, job_id: str) -> list[Anchor]:
        """Return the anchors of a job, in order."""
        return [of_anchor(read_entry(entry)) for entry in self._jobs.get(job_id, ())]

    def doubts(self, job_id: str) -> list[str]:
        """Return why anchors that were asked for cannot vouch for a run."""
        witnessed = self._witnessed
        return [
            *self._doubts,
            *(witnessed.doubts(self._newest.get(job_id, 0)) if witnessed else ()),
        ]

    def evidence(self, job_id: str) -> Evidence | None:
        """Return where the newest anchor of a job stands; None where it has none."""
        number = self._newest.get(job_id)
        if number is None or self._signed is None or self._log is None or self._witnessed is None:
            return None
        behind = self._witnessed.checkpoints(number) or [self._signed]
        tiles = self._log.tiles(self._signed.checkpoint.size)
        return Evidence(number, self._jobs[job_id][-1], tiles, behind)

    def jobs(self) -> list[str]:
        """Return the jobs that are anchored."""
        return list(self._jobs)

    def vouches_for_removal(self, job_id: str, entries: int) -> bool:
        """Tell whether it is signed that so many entries of a job were to be removed."""
        return vouches_for_removal(self.of(job_id), entries)

    def _read(self, log: LogFolder) -> None:
        remembered = self._memory.recall()
        try:
            now = log.checkpoint()
        except DecodeError as error:
            self._find(f"a checkpoint in {log.path}", str(error))
            return
        except OSError as error:
            self._doubts.append(f"the log of anchors in {log.path} cannot be read: {error}")
            return
        if now is None:
            self._doubts.append(f"there is no log of anchors in {log.path}")
            self._doubts += [
                f"{place} remembers {one.checkpoint.size} entries of it"
                for place, one in remembered.items()
            ]
            return
        self._walk(log, now, remembered)

    def _walk(
        self, log: LogFolder, signed: SignedCheckpoint, remembered: dict[str, SignedCheckpoint]
    ) -> None:
        """Read all entries; the tree over them must be the one that is signed, and remembered."""
        self._signed, now = signed, signed.checkpoint
        compared = self._compared(now, {who: one.checkpoint for who, one in remembered.items()})
        assert self._believed is not None  # noqa: S101 - else nothing is read
        assert self._witnessed is not None  # noqa: S101 - there is a log
        ring = self._believed.ring(now.origin)
        compared |= self._compared(now, self._witnessed.ask(signed))
        for said in self._witnessed.contradictions:
            self._find(f"{now.size} entries of {now.origin} to have grown", said)
        sizes = {one.size for one in compared.values()}
        tree, found = Tree(), {0: Tree().root()}
        try:
            for number, (entry, leaf) in enumerate(log.tiles(now.size).leaves()):
                self._take(number, entry, ring)
                tree.add(leaf)
                if tree.size in sizes:
                    found[tree.size] = tree.root()
        except (DecodeError, OSError) as error:
            self._find(f"{now.size} entries in {log.path}", str(error))
            return
        try:
            ring.check(signed)
        except DecodeError as error:
            self._find(f"a signed checkpoint in {log.path}", str(error))
            self._jobs = {}
        for who, one in compared.items():
            if found[one.size] != one.root:
                said = (
                    f"the root {one.root.hex()} over the first {one.size} entries of {now.origin}"
                )
                self._find(f"{said}, as {who} has it", found[one.size].hex())

    def _compared(
        self, now: Checkpoint, remembered: dict[str, Checkpoint]
    ) -> dict[str, Checkpoint]:
        """Return the checkpoints that must be met, by who says so."""
        compared = {"its checkpoint": now}
        for place, then in remembered.items():
            if then.origin != now.origin:
                self._find(f"{then.origin}, as {place} remembers", f"{now.origin}, another log")
            elif then.size > now.size:
                self._doubts.append(
                    f"there are {now.size} entries of {now.origin}, but {place} remembers "
                    f"{then.size}"
                )
            else:
                compared[place] = then
        return compared

    def _take(self, number: int, entry: bytes, ring: Ring) -> None:
        try:
            body = read_entry(entry)
            if body["type"] in {KEY, REVOCATION}:
                ring.take(number, body)
                return
        except DecodeError as error:
            self._find(f"an entry of anchors at {number}", str(error))
            return
        if body["type"] in {ANCHOR, REMOVAL}:
            self._jobs.setdefault(body["job"], []).append(entry)
            self._newest[body["job"]] = number
        elif body["type"] == BEGINNING and not number:
            self.notes += _begun(body)
        else:
            self._find(f"an anchor at {number}", f"{body['type']}")

    def _find(self, expected: str, found: str) -> None:
        if len(self.findings) < _MOST_FINDINGS:
            self.findings.append(Finding("anchor", expected, found))


def _begun(body: dict[str, Any]) -> Iterator[str]:
    """Yield that there was a log before, as the first entry of a log tells."""
    before, time_ms = body.get("before"), body.get("time_ms")
    if not isinstance(before, dict):
        return
    when = "at some time"
    if isinstance(time_ms, int):
        when = datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="seconds")
    yield (
        f"the anchors were begun anew at {when} by `anchors init`: {before.get('size')} that were "
        "there before are gone"
    )
