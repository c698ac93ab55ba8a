"""Verify runs: the port `synapse_stream.ports.audit.Auditor` over store, streams and anchors."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from consumers import views
from consumers.audit.archived import ArchiveCheck, recorded
from consumers.audit.certificate import certificate
from consumers.audit.disclosure import disclosure
from consumers.audit.growth import Growth
from consumers.audit.identities import Identities
from consumers.audit.lacking import Lacking
from consumers.audit.memory import Memory
from consumers.audit.record import Record, lines_of
from consumers.audit.refolding import Refolding, Sources, content_of
from consumers.audit.sign_offs import SignOffs
from consumers.audit.trust import Trust
from consumers.audit.verdicts import judged_record, judged_removal, judged_views, worse
from consumers.errors import StoreUnavailable
from synapse_stream.entries.position import BEGINNING
from synapse_stream.errors import LogUnavailable
from synapse_stream.log.feeds import FeedLog
from synapse_stream.ports.audit import Finding, ProducerReport, Report, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumers.views.archive.removal import Removed
    from synapse_stream.entries.position import Position
    from synapse_stream.ports.audit import Disclosure
    from synapse_stream.settings import Settings

_ATTEMPTS = 5
_NOWHERE = (-1, None)
_ORDER = ["block", "manifest", "entry", "numbers", "chain", "stream", "seal", "erasure", "anchor"]
_OF_ARCHIVE = frozenset({"block", "manifest"})


class Auditor:
    """Changes nothing but what is known of damage. Not thread-safe."""

    def __init__(self, settings: Settings, *, witnesses: int = 0) -> None:
        """Open the deployment of `settings`; nothing is connected yet.

        So many `witnesses` must vouch for its anchors.

        Raises:
            ConfigError: a URL or a key is wrong, or fewer witnesses are known.
        """
        self._settings = settings
        self._sources = Sources(settings)
        self._archive = self._sources.archive
        self._feeds = FeedLog.open(settings)
        databases = self._sources.store.databases
        self._trust = Trust(settings, Memory(databases, self._feeds, settings), witnesses=witnesses)
        self._identities = Identities(settings)
        self._sign_offs = SignOffs(settings, self._sources)
        self._is_checked = False

    def verify(self, job_id: str) -> Report:
        """Verify one run.

        A run that is archived and trimmed while it is read is read again.
        """
        if not self._is_checked:
            self._sources.log.check(found=False)
            self._is_checked = True
        self._trust.read()
        try:
            return self._settled(job_id)
        except LogUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever stands there, other jobs go on
            return _unverified(job_id, f"{type(error).__name__}: {error}")

    def _settled(self, job_id: str) -> Report:
        report = None
        for _ in range(_ATTEMPTS):
            manifest = self._archive.manifest(job_id)
            report = self._verify(job_id, manifest)
            if not report.findings or self._archive.manifest(job_id) == manifest:
                break
        assert report is not None  # noqa: S101 - there was an attempt
        self._note(report)
        return self._sign_offs.judged(report)

    def certify(self, job_id: str) -> tuple[Report, bytes | None]:
        """Verify one run, and return what proves it up to its newest anchor."""
        report = self.verify(job_id)
        evidence = self._trust.evidence(job_id)
        if evidence is None or not report.is_sound:
            return report, None
        return report, certificate(report, evidence)

    def disclose(self, job_id: str, position: Position) -> tuple[Report, Disclosure | None]:
        """Verify one run, and return one of its lines with what proves it."""
        report = self.verify(job_id)
        if not report.is_sound:
            return report, None
        blocks = self._archive.blocks(job_id)
        return report, disclosure(job_id, blocks, position, self._trust.evidence(job_id))

    def jobs(self) -> Iterator[str]:
        """Yield the ids of all jobs that archive, views or anchors know, each once."""
        seen: set[str] = set()
        for projection in (views.RECORD, *views.folded()):
            for job_id in self._sources.store.jobs.ids(projection):
                if job_id not in seen:
                    seen.add(job_id)
                    yield job_id
        self._trust.read()
        yield from sorted({*self._trust.jobs()} - seen)

    def close(self) -> None:
        """Disconnect."""
        self._sources.close()
        self._feeds.close()

    def _note(self, report: Report) -> None:
        """Have what is wrong with the archive of a run known as its damage, until it is right."""
        damage = self._sources.store.damage
        of_archive = [found for found in report.findings if found.what in _OF_ARCHIVE]
        with suppress(StoreUnavailable):  # it may not be ours to write
            if of_archive:
                expected, found = of_archive[0].expected, of_archive[0].found
                damage.note(views.RECORD, report.job_id, f"expected {expected}, found {found}")
            elif report.verdict is not Verdict.UNKNOWN:
                damage.mend(views.RECORD, report.job_id)

    def _verify(self, job_id: str, manifest: bytes | None) -> Report:
        gone = self._archive.removed(job_id)
        if gone is not None:
            return self._removed(job_id, gone)
        anchors = self._trust.of(job_id)
        record, growth = Record(job_id), Growth(anchors)
        archive, lacking = ArchiveCheck(job_id, manifest, growth), Lacking(self._sources, job_id)
        # Views first: what they have is recorded by then.
        with Refolding(self._settings, self._sources, job_id, archive.events) as refolding:
            for entry in archive.entries(self._archive.blocks(job_id)):
                content = content_of(entry)
                record.take_archived(entry, content)
                refolding.take(entry, content)
            archived = record.entries
            for entry in self._sources.stream(job_id):
                content = content_of(entry)
                archive.take_streamed(entry)
                record.take_streamed(entry, content)
                refolding.take(entry, content)
            self._close(record, archive)
            compared = lacking.add(refolding.compare(), record)
        said = record.said
        whose = self._identities.proved(job_id, said.identities)
        notes = [*said.notes(record.sealed()), *self._identities.notes(said.identities, whose)]
        notes += [*compared.notes, *archive.erased.notes()]
        if record.findings.has_more or archive.findings.has_more:
            notes.append("there are more differences than are listed")
        doubts = self._trust.doubts(job_id)
        notes += [*doubts, *self._trust.notes]
        false = [*self._trust.findings, *growth.judge()]
        findings = [*archive.findings, *record.findings, *archive.erased.findings, *false]
        findings.sort(key=lambda one: (one.position or BEGINNING, _ORDER.index(one.what)))
        of_record = judged_record(
            record,
            findings,
            is_known=bool(compared.views or anchors),
            is_doubtful=bool(doubts),
        )
        of_views = judged_views(compared)
        return Report(
            job_id,
            verdict=worse(of_record, of_views),
            record=of_record,
            view=of_views,
            entries=record.entries,
            events=record.events,
            archived=archived,
            producers=[
                ProducerReport(
                    *(name, track.last),
                    track.sealed if track.sealed is not None else said.own_count(name),
                    track.lost,
                    growth.sure.get(name, _NOWHERE)[0],
                    said.shed.get(name, {}),
                    growth.sure.get(name, _NOWHERE)[1],
                    whose.get(name),
                )
                for name, track in record.tracks.items()
            ],
            views=dict.fromkeys(views.folded()) | compared.views,
            anchors=len(anchors),
            findings=[*findings, *compared.findings],
            notes=notes,
            erasures=archive.erased.erasures,
        )

    def _close(self, record: Record, archive: ArchiveCheck) -> None:
        """Judge what could not be judged in passing, with a second look if need be."""
        wanted = record.needs_lines(archive.joins)
        lines = {}
        if wanted:
            again = recorded(record.job_id, self._archive.blocks(record.job_id))
            lines = lines_of(again, wanted)
        record.close(lines, archive.joins)
        for finding in record.overlaps.unexplained(
            archive.repeats, lambda position: self._is_awaited(record, position)
        ):
            record.findings.append(finding)
        record.judge_seals()
        archive.judge_manifest()
        archive.erased.judge()

    def _is_awaited(self, record: Record, position: Position) -> bool:
        """Tell whether the archive may not know yet that what stands there has come again."""
        if record.has_turned_back:
            return True  # so ids do not tell what came first
        return self._sources.is_unread(record.job_id, position[:2])

    def _removed(self, job_id: str, gone: Removed) -> Report:
        """Say that a run can be verified no more; nor can what it recorded since.

        Whoever can write the store can have it say so of any run. So of one that was anchored the
        removal must be, too.
        """
        doubts, findings = self._trust.doubts(job_id), [*self._trust.findings]
        notes = [str(gone.refusal(job_id)), *doubts, *self._trust.notes]
        if not self._trust.vouches_for_removal(job_id, gone.entries):
            expected = f"a signed removal of the first {gone.entries} entries"
            findings.append(Finding("anchor", expected, "anchors of the run, and none of that"))
        return Report(
            job_id,
            verdict=(verdict := judged_removal(findings, doubts)),
            record=verdict,
            view=Verdict.UNKNOWN,
            entries=gone.entries,
            events=0,
            archived=0,
            producers=[],
            views=dict.fromkeys(views.folded()),
            anchors=len(self._trust.of(job_id)),
            findings=findings,
            notes=notes,
        )


def open_auditor(settings: Settings, *, witnesses: int = 0) -> Auditor:
    """Open the auditor of a deployment.

    Raises:
        ConfigError: a URL or a key is wrong.
    """
    return Auditor(settings, witnesses=witnesses)


def _unverified(job_id: str, reason: str) -> Report:
    """Return the report of a job of which nothing can be said."""
    return Report(
        job_id,
        verdict=Verdict.UNVERIFIED,
        record=Verdict.UNVERIFIED,
        view=Verdict.UNVERIFIED,
        entries=0,
        events=0,
        archived=0,
        producers=[],
        views=dict.fromkeys(views.folded()),
        anchors=0,
        findings=[],
        notes=[f"it could not be verified: {reason:.500}"],
    )
