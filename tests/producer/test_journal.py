"""What a shipper notes is read back, also what a SIGKILL left of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_stream.entries.batch import GENESIS
from synapse_stream.producer.shipping.journal import Journal
from synapse_stream.producer.spool.children import ChildNote, children, note_child
from synapse_stream.producer.spool.notes import Name, claim, claims
from synapse_stream.producer.spool.sent import NOTHING, SENT, Mark, Progress, Sent, load, make_page

if TYPE_CHECKING:
    from pathlib import Path

ONE, OTHER = b"1" * 32, b"2" * 32


def test_progress_is_there_for_whoever_comes_next(tmp_path: Path) -> None:
    journal = Journal([tmp_path])
    journal.take(4, ONE)
    journal.send(9, OTHER)

    assert Journal([tmp_path]).progress == Progress(0, Mark(4, ONE), Mark(9, OTHER))


def test_a_page_that_is_gone_on_with_is_newer_than_before(tmp_path: Path) -> None:
    for number in range(5):
        Journal([tmp_path]).take(number, ONE)

    assert Journal([tmp_path]).progress.acknowledged == Mark(4, ONE)


def test_what_was_being_written_at_a_kill_costs_only_itself(tmp_path: Path) -> None:
    sent = Sent(make_page(tmp_path))
    sent.note(Progress(0, Mark(1, ONE), Mark(1, ONE)))
    sent.note(Progress(0, Mark(2, ONE), Mark(2, ONE)))
    page = bytearray((tmp_path / SENT).read_bytes())
    page[40] ^= 1  # in the slot of the second turn
    (tmp_path / SENT).write_bytes(page)

    assert load(tmp_path) == Progress(0, Mark(1, ONE), Mark(1, ONE))


def test_nothing_noted_is_known_from_nothing_sent(tmp_path: Path) -> None:
    assert load(tmp_path) is None
    assert not Journal([tmp_path]).is_known
    assert load(tmp_path) is None
    Journal([tmp_path]).take(-1, GENESIS)
    assert Journal([tmp_path]).is_known


def test_under_a_new_name_nothing_was_sent_yet(tmp_path: Path) -> None:
    journal = Journal([tmp_path])
    journal.take(4, ONE)
    journal.rename(Name("heir", 3, 17))

    again = Journal([tmp_path])
    assert again.names == [Name("heir", 3, 17)]
    assert again.progress == Progress(1, NOTHING, NOTHING)


def test_a_name_that_was_noted_just_before_a_kill_has_sent_nothing(tmp_path: Path) -> None:
    Journal([tmp_path]).take(4, ONE)
    (tmp_path / "names").write_bytes(b'{"producer":"heir","start":3,"time":17}\n{"producer":"to')

    again = Journal([tmp_path])
    assert again.names == [Name("heir", 3, 17)]
    assert again.progress == Progress(1, NOTHING, NOTHING)


def test_without_a_home_the_notes_are_in_memory() -> None:
    journal = Journal([])
    journal.take(4, ONE)
    journal.rename(Name("heir", 3, 17))

    assert journal.names == [Name("heir", 3, 17)]


def test_a_deployment_is_claimed_once(tmp_path: Path) -> None:
    for _ in range(2):
        claim([tmp_path], "d1")
    claim([tmp_path], "d2")

    assert claims([tmp_path]) == ["d1", "d2"]


def test_children_note_themselves_with_their_parent(tmp_path: Path) -> None:
    for name in ("hot", "cold"):
        (tmp_path / name).mkdir()
    homes = [tmp_path / "hot", tmp_path / "cold"]
    note_child([*homes, tmp_path / "gone"], ChildNote("c1", 5))
    note_child(homes[1:], ChildNote("c2", 6))
    with (homes[1] / "children").open("ab") as file:
        file.write(b"torn 1")

    assert children(homes) == [ChildNote("c1", 5), ChildNote("c2", 6)]
