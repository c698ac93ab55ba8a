"""An export holds every byte and shows any change; import puts all in place or nothing."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from synapse_stream.entries.batch import RawEntry
from synapse_stream.entries.entry import recorded_batch
from synapse_stream.errors import DecodeError, JobExists
from synapse_stream.exports.copies import import_run
from synapse_stream.exports.exact import DamagedExport, ExactFile, write_exact
from tests.support.archiving import keys
from tests.support.chains import Chain
from tests.support.entries import entry, stray, unpacked
from tests.support.events import ended

if TYPE_CHECKING:
    from consumers.views.archive.reader import StoredArchive
    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.exports.chains import Joins
    from synapse_stream.log.feeds import FeedLog
    from synapse_stream.reading.job_reader import JobReader
    from tests.support.archiving import Archiver

JOB = "job-1"
END = ended(count=5)


def exported(entries: list[RawEntry], job: str = JOB, joins: Joins | None = None) -> bytes:
    file = io.BytesIO()
    write_exact(job, (recorded_batch(job, found) for found in entries), file, joins or {})
    return file.getvalue()


def imported(file: bytes) -> list[RecordedBatch]:
    return list(ExactFile(io.BytesIO(file)).entries())


def lines_of(file: bytes) -> list[bytes]:
    return zstandard.ZstdDecompressor().stream_reader(file).read().splitlines(keepends=True)


def as_file(lines: list[bytes]) -> bytes:
    return zstandard.compress(b"".join(lines))


def sound_run() -> list[RawEntry]:
    one, two = Chain(JOB, "one"), Chain(JOB, "two")
    return [
        entry(0, one.add({"text": "é\u2028"}, {})),
        stray(1, p=b"\xff", q=b""),
        entry(2, two.add(*({"x": 1},) * 40)),
        entry(3, one.add({}, END)),
    ]


@st.composite
def runs(draw: st.DrawFn) -> list[RawEntry]:
    """Draw linked batches of whatever bytes, other entries among them, one sent again in part."""
    chains, found = (Chain(JOB, "one"), Chain(JOB, "é\0")), []
    data = st.binary(max_size=40) | st.just(b'{"a":1}\n{"b":"\xc3\xa9"}\n') | st.just(b"{}\n" * 900)
    for place, kind in enumerate(draw(st.lists(st.integers(0, 3), max_size=12))):
        if kind == 3:
            names = st.binary(max_size=4)
            fields = draw(st.dictionaries(names, st.binary(max_size=9), min_size=1, max_size=4))
            found.append(RawEntry(place, 3, fields))
            continue
        chain = chains[kind % 2]
        if kind == 2 and chain.batches:
            chain.batches.pop()  # the server lost it, so the next one begins where it began
        lines = draw(data)
        count = lines.count(b"\n") + draw(st.integers(2, 5))
        found.append(entry((place, 1), chain.add_data(lines, count)))
    return found


@given(runs())
def test_every_byte_comes_back_and_the_same_run_gives_the_same_file(
    entries: list[RawEntry],
) -> None:
    file = exported(entries)

    back = imported(file)

    raw = [RawEntry(found.ms, found.seq, found.raw or {}) for found in back]
    assert [unpacked(JOB, found) for found in raw] == [unpacked(JOB, found) for found in entries]
    assert exported(raw) == file


def test_an_export_is_json_lines_with_the_events_as_the_producer_wrote_them() -> None:
    lines = lines_of(exported(sound_run()))

    found = [orjson.loads(line) for line in lines]
    assert found[0] == {"synapse_stream_export": 1, "job": JOB}
    assert [event["seq"] for event in found if "seq" in event] == [0, 1, *range(40), 2, 3]
    end = found[-1]["end"]
    assert (end["entries"], end["events"]) == (4, 44)
    assert end["producers"]["one"]["sealed"] == 5
    assert end["producers"]["two"]["sealed"] is None


def test_every_change_of_a_line_is_found() -> None:
    lines = lines_of(exported(sound_run()))
    for number, line in enumerate(lines):
        for changed in (
            lines[:number] + lines[number + 1 :],
            [*lines[:number], line, *lines[number:]],
            [
                *lines[:number],
                line.replace(b"1", b"7", 1).replace(b"e", b"f", 1),
                *lines[number + 1 :],
            ],
            lines[:number],
        ):
            with pytest.raises(DecodeError):
                imported(as_file(changed))


def test_a_hash_that_does_not_follow_is_refused_even_under_a_right_digest() -> None:
    entries = sound_run()
    entries[-1].fields[b"h"] = bytes(32)  # type: ignore[index]

    with pytest.raises(DamagedExport, match=r"line \d+ .* numbers 2 to 3 of producer 'one' do not"):
        imported(exported(entries))
    with pytest.raises(DamagedExport, match="numbers 0 to 1 are missing before them"):
        imported(exported(sound_run()[1:]))


@pytest.mark.parametrize(
    "file",
    [b"", b"no frame at all", as_file([b"{}\n"]), as_file([b'{"synapse_stream_export":2}\n'])],
)
def test_what_is_no_export_is_refused(file: bytes) -> None:
    with pytest.raises(DecodeError):
        ExactFile(io.BytesIO(file))


def test_a_cut_file_and_one_with_more_behind_it_are_refused() -> None:
    file = exported(sound_run())

    for part in (file[:-1], file[: len(file) // 2], file + b"x", file + file):
        with pytest.raises(DecodeError):
            imported(part)


def test_an_imported_run_is_the_same_byte_by_byte(
    log: FeedLog, archiver: Archiver, archive: StoredArchive, reader: JobReader
) -> None:
    file = exported(sound_run())

    assert import_run(ExactFile(io.BytesIO(file)), reader, archive)

    raw = [RawEntry(e.ms, e.seq, e.raw or {}) for e in reader.entries(JOB)]
    assert exported(raw) == file
    manifest = archive.manifest(JOB)
    assert manifest
    assert (manifest.entries, manifest.events, manifest.strays) == (4, 44, 1)
    assert {name: mark.sealed for name, mark in manifest.producers.items()} == {
        "one": 5,
        "two": None,
    }
    assert not import_run(ExactFile(io.BytesIO(file)), reader, archive)
    assert archive.jobs() == [JOB]


def test_another_run_of_that_name_is_refused(
    log: FeedLog, archiver: Archiver, archive: StoredArchive, reader: JobReader
) -> None:
    log.append(Chain(JOB, "one").add({}))
    there = archiver.stream(JOB)

    with pytest.raises(JobExists, match="is there already, and differs from the export at"):
        import_run(ExactFile(io.BytesIO(exported(sound_run()))), reader, archive)

    assert keys(list(reader.entries(JOB))) == keys(there)
    assert archive.jobs() == []


def test_an_export_that_is_not_whole_leaves_nothing_behind(
    archiver: Archiver, archive: StoredArchive, reader: JobReader
) -> None:
    lines = lines_of(exported(sound_run()))

    for _ in range(2):
        with pytest.raises(DamagedExport, match="ends before its last line"):
            import_run(ExactFile(io.BytesIO(as_file(lines[:-1]))), reader, archive)

    assert archive.jobs() == []
    assert archive.manifest(JOB) is None
    assert import_run(ExactFile(io.BytesIO(as_file(lines))), reader, archive)


def test_an_archive_goes_on_behind_an_imported_run(
    log: FeedLog, archiver: Archiver, archive: StoredArchive, reader: JobReader
) -> None:
    chain = Chain(JOB, "one")
    for _ in range(20):
        log.append(chain.add({}, {}))
    entries: list[Any] = [RawEntry(e.ms, e.seq, e.raw or {}) for e in archiver.stream(JOB)]
    archive.add(JOB, iter(entries[:12]), {})

    archiver.archive()

    assert keys(archive.read(JOB)) == keys(archiver.stream(JOB))
    with pytest.raises(JobExists):
        archive.add(JOB, iter(entries), {})
