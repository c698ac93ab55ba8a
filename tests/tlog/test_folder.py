"""A log in a folder: every file is as C2SP has it, and what stands there is never written again."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import pytest

from synapse_stream.entries.tree import leaf
from synapse_stream.errors import DecodeError
from synapse_stream.tlog.proofs import is_consistent
from synapse_stream.tlog.tiles import path
from tests.support.logs import Log
from tests.support.trees import root_over

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no disk: what a power cut leaves is not tried here."""
    monkeypatch.setattr("os.fsync", lambda _: None)


def files(home: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(home)): file.read_bytes()
        for file in (home / "tile").rglob("*")
        if file.is_file()
    }


def entries(count: int, first: int = 0) -> list[bytes]:
    return [b"entry %d" % number for number in range(first, first + count)]


def test_a_log_is_the_same_in_whatever_steps_it_has_grown(tmp_path: Path) -> None:
    choose, steps = random.Random(5), Log(tmp_path / "steps")
    all_of: list[bytes] = []
    while len(all_of) < 1_300:
        all_of += (new := entries(choose.choice((1, 3, 90, 255, 256, 600)), len(all_of)))
        steps.add(new)
    at_once = Log(tmp_path / "once")
    at_once.add(all_of)

    assert steps.head.root == at_once.head.root == root_over([leaf(one) for one in all_of])
    assert list(steps.folder.tiles(len(all_of)).entries()) == all_of
    newest = files(tmp_path / "once")
    assert newest.items() <= files(tmp_path / "steps").items()


def test_files_lie_where_c2sp_has_them(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.add(entries(70_000))

    found = files(tmp_path)

    hashes = {name: len(content) // 32 for name, content in found.items() if "entries" not in name}
    assert sum(name.startswith("tile/0/") for name in hashes) == 274
    assert hashes["tile/0/273.p/112"] == 112
    assert hashes["tile/1/001.p/17"] == 17
    assert hashes["tile/2/000.p/1"] == 1
    assert len(hashes) == 274 + 2 + 1
    assert path(0, 1_234_067) == "tile/0/x001/x234/067"
    assert found["tile/entries/000"][:9] == b"\x00\x07entry 0"


def test_what_is_written_is_not_written_again(tmp_path: Path) -> None:
    log = Log(tmp_path)
    known: dict[str, bytes] = {}
    for _ in range(40):
        log.add(entries(17, log.head.size))
        found = files(tmp_path)
        assert known.keys() - found.keys() == {
            name for name in known if ".p/" in name and name.split(".p/")[0] in found
        }
        assert all(found[name] == known[name] for name in known.keys() & found.keys())
        known = found


def test_nothing_is_added_to_hashes_that_are_others(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.add(entries(300))
    tile = tmp_path / "tile/0/001.p/44"
    tile.write_bytes(tile.read_bytes()[::-1])
    before = files(tmp_path)

    with pytest.raises(DecodeError, match="not those of its checkpoint"):
        log.add(entries(1))

    assert files(tmp_path) == before
    tile.unlink()
    with pytest.raises(DecodeError, match="tile/0/001"):
        log.add(entries(1))


def test_a_writer_that_died_before_its_checkpoint_has_done_nothing(tmp_path: Path) -> None:
    def die(_: object) -> None:
        raise KeyboardInterrupt

    log, other = Log(tmp_path / "one"), Log(tmp_path / "other")
    log.add(entries(250))
    with pytest.raises(KeyboardInterrupt):
        log.folder.append(log.head, entries(20, 900), die)  # type: ignore[arg-type]
    log.add(entries(20, 250))
    other.add(entries(270))

    assert log.head.root == other.head.root
    assert list(log.folder.tiles(270).entries()) == entries(270)


def test_growth_can_be_shown_from_every_size(tmp_path: Path) -> None:
    log = Log(tmp_path)
    sizes = (1, 2, 252, 2, 300, 5)
    heads = [log.add(entries(size, log.head.size)).checkpoint for size in sizes]

    for old in heads:
        proof = log.proof(old.size)
        assert is_consistent(old.size, old.root, log.head.size, log.head.root, proof)


def test_a_reader_of_a_tile_that_has_become_full_gets_its_part(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.add(entries(100))
    before = log.folder.tiles(100)
    log.add(entries(200, 100))

    assert list(before.entries()) == entries(100)
    assert before.tree(100).root() == root_over([leaf(one) for one in entries(100)])


def test_an_entry_is_no_longer_than_its_length_can_say(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.add([b"x" * 65_535])

    with pytest.raises(ValueError, match="65535"):
        log.add([b"x" * 65_536])


def test_writers_wait_for_each_other(tmp_path: Path) -> None:
    log = Log(tmp_path)

    def write() -> None:
        for number in range(20):
            with log.folder.locked():
                log.head = log.folder.append(log.head, [b"%d" % number], log.note).checkpoint

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert log.head.size == 80
    assert log.folder.tiles(80).tree(80).root() == log.head.root
