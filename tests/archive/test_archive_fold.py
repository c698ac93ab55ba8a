"""The archive's fold takes every entry once, however often and in whatever cuts it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.errors import OutdatedFold
from consumers.views.archive.fold import ArchiveFold
from tests.support.chains import Chain
from tests.support.entries import FIRST_MS, entry, stray
from tests.support.trees import root_of

if TYPE_CHECKING:
    from synapse_stream.entries.batch import RawEntry

JOB = "job-1"


class Kept:
    """An archive in memory: what a fold gave out, and its manifest."""

    def __init__(self) -> None:
        self.entries: list[RawEntry] = []
        self.document: bytes | None = None

    def commit(self, entries: list[RawEntry]) -> None:
        """Fold in a process of its own, as after a restart."""
        fold = ArchiveFold(JOB, self.document, has_stray=self.entries.__contains__)
        for found in entries:
            assert fold.apply(found) == []
        if fold.has_changed:
            start, new, *_ = fold.rows()
            assert start == len(self.entries)
            self.entries += new
            self.document = fold.document()

    @property
    def manifest(self) -> dict[str, Any]:
        return orjson.loads(self.document or b"null")  # type: ignore[no-any-return]


@st.composite
def runs(draw: st.DrawFn) -> list[RawEntry]:
    """Draw the entries of two producers, and some that are no batch."""
    chains, found = (Chain(JOB, "one"), Chain(JOB, "two")), []
    for place, kind in enumerate(draw(st.lists(st.integers(0, 2), max_size=20))):
        count = draw(st.integers(1, 4))
        found.append(
            stray(place, x=b"%d" % count)
            if kind == 2
            else entry(place, chains[kind].add(*[{}] * count))
        )
    return found


@given(runs(), st.data())
def test_any_cut_and_any_redelivery_give_the_same_archive(
    entries: list[RawEntry], data: st.DataObject
) -> None:
    whole, cut = Kept(), Kept()
    whole.commit(entries)
    place = 0
    while place < len(entries):
        begin = data.draw(st.integers(0, place), label="read again from")
        place = data.draw(st.integers(place + 1, len(entries)), label="up to")
        cut.commit(entries[begin:place])

    assert cut.entries == entries == whole.entries
    assert cut.document == whole.document


def test_the_manifest_counts_what_is_there() -> None:
    one, two = Chain(JOB, "one"), Chain(JOB, "two")
    entries = [
        entry(0, one.add({}, {})),
        entry(1, two.add({})),
        stray(2, x=b"12345"),
        entry(3, one.add({}, {}, {})),
    ]
    kept = Kept()
    kept.commit(entries)

    assert kept.manifest == {
        "job": JOB,
        "v": 1,
        "entries": 4,
        "strays": 1,
        "events": 6,
        "bytes": sum(len(b.data) for b in (*one.batches, *two.batches)) + 5,
        "first": [FIRST_MS, 0],
        "last": [FIRST_MS + 3, 0],
        "top": [FIRST_MS + 3, 0],
        "tree": root_of(entries).hex(),
        "producers": {
            "one": {
                "last": 4,
                "hash": one.batches[-1].hash.hex(),
                "batches": 2,
                "events": 5,
                "at": [FIRST_MS + 3, 0],
            },
            "two": {
                "last": 0,
                "hash": two.batches[-1].hash.hex(),
                "batches": 1,
                "events": 1,
                "at": [FIRST_MS + 1, 0],
            },
        },
    }


def test_what_comes_again_with_other_ids_after_a_lost_tail_is_known() -> None:
    chain = Chain(JOB)
    first, second, third = (chain.add({}, {}) for _ in range(3))
    kept = Kept()
    kept.commit([entry(0, first), entry(1, second)])

    kept.commit([entry(9, second), entry(10, third)])

    assert kept.entries == [entry(0, first), entry(1, second), entry(10, third)]


def test_a_batch_that_overlaps_is_kept_as_it_came_and_only_its_new_events_count() -> None:
    chain, again = Chain(JOB), Chain(JOB)
    before = chain.add({}, {})
    tail = chain.add({}, {})
    again.batches = [before]
    longer = again.add({}, {}, {}, {}, {})
    kept = Kept()
    kept.commit([entry(0, before), entry(1, tail)])

    kept.commit([entry(9, longer)])

    assert kept.entries[-1] == entry(9, longer)
    assert kept.manifest["events"] == 7
    assert kept.manifest["producers"]["producer-1"]["events"] == 7


def test_a_gap_is_kept_as_such() -> None:
    chain = Chain(JOB)
    first, _, third = (chain.add({}) for _ in range(3))
    kept = Kept()
    kept.commit([entry(0, first), entry(2, third)])

    (mark,) = kept.manifest["producers"].values()
    assert (mark["last"], mark["events"]) == (2, 2)


def test_equal_entries_that_are_no_batch_at_other_places_are_others() -> None:
    kept = Kept()
    kept.commit([stray(5), stray(6), stray(5), stray(3), stray(3)])
    kept.commit([stray(3), stray(4), stray(6)])

    assert kept.entries == [stray(5), stray(6), stray(3), stray(4)]


def test_a_manifest_of_another_version_is_refused() -> None:
    with pytest.raises(OutdatedFold, match="of version 0"):
        ArchiveFold(JOB, b'{"v":0}')
