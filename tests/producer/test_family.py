"""Children note themselves in memory that they inherit, where they reach no file of a parent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from synapse_stream.producer.shipping.journal import Journal
from synapse_stream.producer.spool.children import ChildNote, Family, children, told
from synapse_stream.producer.spool.sent import SENT, Mark

ROOT = Path(__file__).parents[2]
FULL = 239


AT_ONCE = """
import os, secrets, sys
from pathlib import Path
from synapse_stream.producer.shipping.journal import Journal
from synapse_stream.producer.spool.children import ChildNote, children

homes = [Path(home) for home in sys.argv[1:]]
journal = Journal(homes)

def fork_all(count):
    names = [secrets.token_hex(8) for _ in range(count)]
    go, start = os.pipe()
    for name in names:
        if os.fork() == 0:
            os.close(start)
            os.read(go, 1)
            journal.family.note(ChildNote(name, os.getpid()))
            os._exit(0)
    os.close(start)
    for _ in names:
        os.wait()
    return names

names = fork_all(60) + fork_all(20)
assert {child.producer for child in journal.children()} == set(names)
assert len(journal.children()) == 80
if homes:  # whoever adopts it reads the same
    assert {child.producer for child in children(homes)} == set(names)
"""


@pytest.mark.parametrize("has_home", [True, False])
def test_all_that_come_at_once_are_there(tmp_path: Path, has_home: bool) -> None:
    homes = [str(tmp_path)] if has_home else []
    subprocess.run(
        [sys.executable, "-c", AT_ONCE, *homes], check=True, cwd=Path(__file__).parents[2]
    )


def test_more_than_there_is_room_for_are_one_more(tmp_path: Path) -> None:
    journal = Journal([tmp_path])
    assert journal.family is not None
    for number in range(FULL + 5):
        journal.family.note(ChildNote(f"{number + 1:016x}", 7, is_far=True))

    found = children([tmp_path])
    assert len(found) == FULL + 1
    assert found[-1] == ChildNote("", 0, is_far=True)
    assert told(found, 10) == {
        "child_count": FULL + 1,
        "children": [{"producer": f"{number + 1:016x}", "pid": 7} for number in range(10)],
    }


def test_a_note_that_a_kill_tore_is_none(tmp_path: Path) -> None:
    family = Family.of([tmp_path])
    assert family is not None
    family.note(ChildNote("0123456789abcdef", 7))
    family.note(ChildNote("fedcba9876543210", 8, is_far=True))
    page = bytearray((tmp_path / SENT).read_bytes())
    page[page.index(bytes.fromhex("0123456789abcdef"))] ^= 1
    (tmp_path / SENT).write_bytes(page)

    assert children([tmp_path]) == [ChildNote("fedcba9876543210", 8, is_far=True)]


def test_what_was_noted_in_memory_is_in_the_homes_when_there_are_some(tmp_path: Path) -> None:
    journal = Journal([])
    journal.take(3, b"1" * 32)
    before = journal.family
    assert before is not None
    before.note(ChildNote("0123456789abcdef", 7))
    journal.move_in([tmp_path])
    before.note(ChildNote("fedcba9876543210", 8))  # of a child that was forked before

    assert [child.pid for child in journal.children()] == [7, 8]
    assert Journal([tmp_path], writes=False).progress.acknowledged == Mark(3, b"1" * 32)
