"""Verify runs: the port `synapse_stream.audit.Auditor` over store, streams and anchors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumers.anchoring import anchors_of, keys_of
from consumers.audit.anchors import AnchorBook, judge, vouches_for_removal
from consumers.audit.archived import ArchiveCheck
from consumers.audit.record import Record, lines_of
from consumers.audit.refold import Refold, refolds
from consumers.decoding import decode
from consumers.projections import PROJECTIONS
from consumers.store import AuditedStore, Databases
from synapse_stream.audit import Finding, ProducerReport, Report, Verdict
from synapse_stream.log.event_log import open_log
from synapse_stream.position import BEGINNING, Position

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumers.store.removal import Removed
    from synapse_stream.log.event_log import EventLog, RecordedBatch
    from synapse_stream.settings import Settings

_PAGE = 50  # entries; one may hold some megabytes
_ATTEMPTS = 5
_ORDER = ("block", "manifest", "entry", "numbers", "chain", "stream", "seal", "anchor")
_NO_KEY = "there is no key, so no anchor was checked: a re-chained suffix would not be found"
_NO_ANCHORS = "there are no anchors: a cut tail or a re-chained suffix would not be found"


class Auditor:
    """Reads only. Not thread-safe."""

    def __init__(self, settings: Settings) -> None:
        """Open the deployment of `settings`; nothing is connected yet.

        Raises:
            ConfigError: a URL or a key is wrong.
        """
        self._namespace = settings.namespace
        self._store = AuditedStore(Databases(settings))
        self._log: EventLog = open_log(settings)
        self._keys = keys_of(settings)
        self._place = anchors_of(settings)
        self._book: AnchorBook | None = None
        self._is_checked = False

    def verify(self, job_id: str) -> Report:
        """Verify one run.

        A run that is archived and trimmed while it is read is read again.
        """
        if not self._is_checked:
            self._log.check(found=False)
            self._is_checked = True
        report = None
        for _ in range(_ATTEMPTS):
            manifest = self._store.manifest(job_id)
            report = self._verify(job_id, manifest)
            if not report.findings or self._store.manifest(job_id) == manifest:
                break
        assert report is not None  # noqa: S101 - there was an attempt
        return report

    def jobs(self) -> Iterator[str]:
        """Yield the ids of all jobs that archive, views or anchors know, each once."""
        seen: set[str] = set()
        for projection in ("archive", *PROJECTIONS):
            for job_id in self._store.jobs(projection):
                if job_id not in seen:
                    seen.add(job_id)
                    yield job_id
        book = self._anchors()
        yield from sorted(set(book.jobs(self._namespace)) - seen) if book else ()

    def close(self) -> None:
        """Disconnect."""
        self._store.close()
        self._log.close()

    def _verify(self, job_id: str, manifest: bytes | None) -> Report:
        gone = self._store.removed(job_id)
        if gone is not None:
            return self._removed(job_id, gone)
        # Views first: what they have is recorded by then.
        stored = {name: self._store.view(name, job_id) for name in PROJECTIONS}
        folds, view_findings = refolds(PROJECTIONS.values(), job_id, stored)
        record, archive = Record(job_id), ArchiveCheck(job_id, manifest)
        for entry in archive.entries(self._store.blocks(job_id)):
            record.take_archived(entry)
            _fold(folds, entry)
        archived = record.entries
        for entry in self._stream(job_id):
            record.take_streamed(entry)
            _fold(folds, entry)
        self._close(record, archive)
        notes: list[str] = []
        for fold in folds:
            found, note = fold.compare()
            view_findings += found
            notes += [note] if note else []
        anchors, anchored, sure = self._judge_anchors(record, notes)
        findings = [*archive.findings, *record.findings, *anchored]
        findings.sort(key=lambda one: (one.position or BEGINNING, _ORDER.index(one.what)))
        return Report(
            job_id,
            verdict=_verdict(record, [*findings, *view_findings], is_known=bool(folds or anchors)),
            entries=record.entries,
            events=record.events,
            archived=archived,
            producers=[
                ProducerReport(name, track.last, track.sealed, track.lost, sure.get(name, -1))
                for name, track in record.tracks.items()
            ],
            views={
                **dict.fromkeys(PROJECTIONS),
                **{fold.name: fold.position for fold in folds},
            },
            anchors=anchors,
            findings=[*findings, *view_findings],
            notes=notes,
        )

    def _close(self, record: Record, archive: ArchiveCheck) -> None:
        """Judge what could not be judged in passing, with a second look if need be."""
        wanted = record.needs_lines(archive.joins)
        lines = {}
        if wanted:
            again = ArchiveCheck(record.job_id, None)
            lines = lines_of(again.entries(self._store.blocks(record.job_id)), wanted)
        record.close(lines, archive.joins)
        record.judge_seals()
        archive.judge_manifest()

    def _judge_anchors(
        self, record: Record, notes: list[str]
    ) -> tuple[int, list[Finding], dict[str, int]]:
        book = self._anchors()
        if book is None:
            notes.append(_NO_ANCHORS if self._place is None else _NO_KEY)
            return 0, [], {}
        mine = book.of(self._namespace, record.job_id)
        found, sure = judge(mine, record.tracks)
        return len(mine), [*book.findings, *found], sure

    def _removed(self, job_id: str, gone: Removed) -> Report:
        """Say that a run can be verified no more; nor can what it recorded since.

        Whoever can write the store can have it say so of any run. So of one that was anchored the
        removal must be, too.
        """
        notes, findings = [str(gone.refusal(job_id))], []
        book = self._anchors()
        if book is None:
            notes.append(_NO_ANCHORS if self._place is None else _NO_KEY)
        elif not vouches_for_removal(book.of(self._namespace, job_id), gone.entries):
            expected = f"a signed removal of the first {gone.entries} entries"
            findings.append(Finding("anchor", expected, "anchors of the run, and none of that"))
        return Report(
            job_id,
            verdict=Verdict.BROKEN if findings else Verdict.REMOVED,
            entries=gone.entries,
            events=0,
            archived=0,
            producers=[],
            views=dict.fromkeys(PROJECTIONS),
            anchors=len(book.of(self._namespace, job_id)) if book else 0,
            findings=findings,
            notes=notes,
        )

    def _anchors(self) -> AnchorBook | None:
        if self._book is None and self._place and self._keys:
            self._book = AnchorBook(self._keys, self._place.files())
        return self._book

    def _stream(self, job_id: str) -> Iterator[RecordedBatch]:
        place = BEGINNING
        while page := self._log.read_after(job_id, place, limit=_PAGE):
            yield from page
            place = Position(page[-1].ms, page[-1].seq + 1)


def open_auditor(settings: Settings) -> Auditor:
    """Open the auditor of a deployment.

    Raises:
        ConfigError: a URL or a key is wrong.
    """
    return Auditor(settings)


def _fold(folds: list[Refold], entry: RecordedBatch) -> None:
    content = decode(entry.batch) if folds and entry.batch else None
    for fold in folds:
        fold.take(entry, content)


def _verdict(record: Record, findings: list[Finding], *, is_known: bool) -> Verdict:
    if findings:
        return Verdict.BROKEN
    if not record.tracks:
        return Verdict.OPEN if is_known else Verdict.UNKNOWN
    is_sealed = all(track.sealed is not None for track in record.tracks.values())
    return Verdict.INTACT if is_sealed else Verdict.OPEN
