"""A free lock proves that the process of a spool is dead."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from synapse_stream.errors import DecodeError
from synapse_stream.producer.home import Home, ProducerInfo, bury, hot_root

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

INFO = ProducerInfo("p1", "job-1", 0, "host", 1, "synapse", "redis://nowhere")


def _hold(root: Path, ready: Event) -> None:
    home = Home.create(root, INFO)
    ready.set()
    signal.pause()
    home.release()


def test_a_living_process_keeps_its_spool_and_a_killed_one_leaves_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_hold, args=(tmp_path, ready))
    process.start()
    assert ready.wait(30)

    assert Home.take_over(tmp_path / "p1") is None
    process.kill()
    process.join()
    assert Home.take_over(tmp_path / "p1") is not None


def test_a_forked_child_does_not_keep_its_parents_lock(tmp_path: Path) -> None:
    home = Home.create(tmp_path, INFO)
    to_child, from_parent = os.pipe()
    to_parent, from_child = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(from_child, b"x")
        os.read(to_child, 1)
        os._exit(0)
    os.read(to_parent, 1)

    assert Home.take_over(tmp_path / "p1") is None  # the child let go of a copy only
    home.release()
    taken = Home.take_over(tmp_path / "p1")
    os.write(from_parent, b"x")
    os.waitpid(child, 0)
    assert taken is not None


def test_a_removed_home_cannot_be_taken(tmp_path: Path) -> None:
    home = Home.create(tmp_path, INFO)
    home.remove()

    assert Home.take_over(tmp_path / "p1") is None


def test_a_home_disappears_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is killed while deleting leaves nothing that looks like a spool."""
    home = Home.create(tmp_path, INFO)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        home.remove()
    assert [path.name for path in tmp_path.iterdir()] == [".p1.removed"]

    bury(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_who_wrote_a_spool_can_be_read_back(tmp_path: Path) -> None:
    home = Home.create(tmp_path, INFO)

    assert ProducerInfo.load(home.path / "producer.json") == INFO


@pytest.mark.parametrize("content", [b"", b"[]", b'{"format":2}', b'{"format":1}', b"\xff"])
def test_a_foreign_description_is_a_decode_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "producer.json"
    path.write_bytes(content)

    with pytest.raises(DecodeError, match=r"producer\.json"):
        ProducerInfo.load(path)


def test_spool_roots_have_separate_shared_memory() -> None:
    one, other = hot_root(Path("/a/spool")), hot_root(Path("/b/spool"))

    assert one is None or (one != other and one.parent.stat().st_mode & 0o777 == 0o700)


def test_an_empty_root_in_shared_memory_goes_with_its_last_home(tmp_path: Path) -> None:
    root = hot_root(tmp_path)
    if root is None:
        pytest.skip("this machine has no shared memory")
    one = Home.create(root, INFO)
    other = Home.create(root, replace(INFO, producer="p2"))

    one.remove()
    assert root.is_dir()
    other.remove()
    assert not root.exists()


def test_shared_memory_belongs_to_a_spool_root_and_not_to_its_path(tmp_path: Path) -> None:
    """Containers with a common /dev/shm have the same paths on different volumes."""
    root = tmp_path / "spool"
    before = hot_root(root)
    root.rename(tmp_path / "another volume")
    after = hot_root(root)

    if before is None:
        pytest.skip("this machine has no shared memory")
    assert after != before
    assert hot_root(tmp_path / "another volume") == before
