"""The manifest keeps the cuts in which a lost tail came again, where a new batch joined on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from consumers.views.archive.fold import ArchiveFold
from tests.support.chains import Chain
from tests.support.entries import entry

if TYPE_CHECKING:
    from synapse_stream.entries.batch import RawEntry

JOB = "job-1"


def lost_and_sent_again() -> tuple[list[RawEntry], list[RawEntry], RawEntry]:
    """Return what was archived, what came again in other cuts, and what joined on."""
    chain = Chain(JOB)
    before = [entry(place, chain.add({}, {})) for place in range(4)]
    lines = [line for batch in chain.batches[1:] for line in batch.lines()]
    chain.batches = chain.batches[:1]
    again = [
        entry(10 + place, chain.add_data(b"".join(line + b"\n" for line in some), len(some)))
        for place, some in enumerate((lines[:1], lines[1:5], lines[5:]))
    ]
    return before, again, entry(20, chain.add({}))


def salts(one: RawEntry) -> str:
    return one.fields[b"s"].hex()


def mark(fold: ArchiveFold) -> dict[str, Any]:
    return orjson.loads(fold.document())["producers"]["producer-1"]  # type: ignore[no-any-return]


def test_cuts_are_kept_once_however_often_they_are_delivered_and_over_restarts() -> None:
    before, again, joined = lost_and_sent_again()
    document = None
    for some in (before, before, again[:2], again, [*before, *again], [*again, joined], again):
        fold = ArchiveFold(JOB, document)
        for found in some:
            fold.apply(found)
        document = fold.document()

    fold = ArchiveFold(JOB, document)
    assert mark(fold)["joins"] == [
        [2, [2, salts(again[0])], [6, salts(again[1])], [7, salts(again[2])]]
    ]
    assert "again" not in mark(fold)


def test_what_came_again_is_a_change_to_be_committed_though_no_entry_is_new() -> None:
    before, again, _ = lost_and_sent_again()
    fold = ArchiveFold(JOB, None)
    for found in before:
        fold.apply(found)
    fold.rows()
    had_changed = fold.has_changed

    fold.apply(again[0])

    assert (had_changed, fold.has_changed) == (False, True)
    assert fold.rows().entries == []
    assert mark(fold)["again"] == [2, [2, salts(again[0])]]


def test_a_redelivered_entry_is_nothing_that_came_again() -> None:
    before, _, _ = lost_and_sent_again()
    fold = ArchiveFold(JOB, None)
    for found in [*before, *before]:
        fold.apply(found)

    assert "again" not in mark(fold)


def test_a_batch_that_overlaps_what_came_again_joins_behind_it() -> None:
    before, again, _ = lost_and_sent_again()
    chain = Chain(JOB)
    chain.add({}, {})
    chain.add({})
    longer = entry(11, chain.add(*[{}] * 9))
    fold = ArchiveFold(JOB, None)
    for found in [*before, again[0], longer]:
        fold.apply(found)

    assert mark(fold)["joins"] == [[2, [2, salts(again[0])]]]
    assert mark(fold)["last"] == 11
