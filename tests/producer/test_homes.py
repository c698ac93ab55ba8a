"""A spool appears when it is whole, and shows that its process lives."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from synapse_stream.errors import DecodeError
from synapse_stream.producer.spool.homes import Homes, make_homes
from synapse_stream.producer.spool.info import DESCRIPTION, ProducerInfo, UnknownFormat
from synapse_stream.producer.spool.life import is_kept
from synapse_stream.producer.spool.roots import hot_root
from synapse_stream.settings import Settings

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="leases are a thing of Linux")


def described(root: Path, producer: str = "p1") -> ProducerInfo:
    settings = Settings(data_dir=root, redis_url="redis://nowhere")
    return ProducerInfo.of(settings, producer, "job-1", 0, None)


def made(tmp_path: Path, hot: Path | None = None) -> Homes:
    return make_homes(described(tmp_path), hot, tmp_path / "cold", refuse)


def refuse(root: Path, error: OSError) -> None:
    raise AssertionError(root) from error


def kept(path: Path) -> bool | None:
    directory = os.open(path, os.O_RDONLY)
    try:
        return is_kept(DESCRIPTION, directory)
    finally:
        os.close(directory)


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_both_homes_say_which_two_belong_together(tmp_path: Path) -> None:
    homes = made(tmp_path, tmp_path / "hot")

    infos = [ProducerInfo.parse((home.path / DESCRIPTION).read_bytes()) for home in homes.each()]
    assert infos[0] == infos[1]
    for home, place in zip(homes.each(), (infos[0].hot, infos[0].cold), strict=True):
        found = home.path.stat()
        assert place == (found.st_dev, found.st_ino)


def test_a_home_that_cannot_be_made_is_said_and_not_declared(tmp_path: Path) -> None:
    (tmp_path / "hot").write_text("no directory")
    said: list[Path] = []

    homes = make_homes(
        described(tmp_path), tmp_path / "hot", tmp_path / "cold", lambda root, _: said.append(root)
    )

    assert homes.hot is None
    assert homes.cold is not None
    assert said == [tmp_path / "hot"]
    assert ProducerInfo.parse((homes.cold.path / DESCRIPTION).read_bytes()).hot is None


def test_a_home_that_cannot_be_shown_is_left_out_of_the_other(tmp_path: Path) -> None:
    (tmp_path / "hot" / "p1" / "in the way").mkdir(parents=True)
    said: list[Path] = []

    homes = make_homes(
        described(tmp_path), tmp_path / "hot", tmp_path / "cold", lambda root, _: said.append(root)
    )

    assert homes.hot is None
    assert said == [tmp_path / "hot"]
    assert homes.cold is not None
    assert ProducerInfo.parse((homes.cold.path / DESCRIPTION).read_bytes()).hot is None
    assert [path.name for path in (tmp_path / "hot").iterdir()] == ["p1"]


@linux_only
def test_a_living_process_shows_life_when_its_descriptors_were_closed(tmp_path: Path) -> None:
    """As daemons do, and some C libraries by mistake."""
    program = """
import os, signal, sys
from pathlib import Path
from synapse_stream.producer.spool.homes import make_homes
from tests.producer.test_homes import described, refuse
root = Path(sys.argv[1])
homes = make_homes(described(root), None, root / "cold", refuse)
os.closerange(3, 256)
print("closed", flush=True)
signal.pause()
"""
    process = subprocess.Popen([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"closed\n"

    assert kept(tmp_path / "cold" / "p1") is True
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert kept(tmp_path / "cold" / "p1") is False


@linux_only
def test_a_forked_child_shows_no_life_for_its_parent(tmp_path: Path) -> None:
    homes = made(tmp_path)
    to_child, from_parent = os.pipe()
    to_parent, from_child = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(from_child, b"x")
        os.read(to_child, 1)
        os._exit(0)
    os.read(to_parent, 1)

    was_kept = kept(tmp_path / "cold" / "p1")  # the child let go of a copy only
    homes.release()
    is_kept_now = kept(tmp_path / "cold" / "p1")
    os.write(from_parent, b"x")
    os.waitpid(child, 0)
    assert (was_kept, is_kept_now) == (True, False)


def test_releasing_closes_no_descriptor_that_is_another_files_by_now(tmp_path: Path) -> None:
    homes = made(tmp_path)
    assert homes.cold is not None
    lock = homes.cold._lock
    with (tmp_path / "other").open("wb") as other:
        os.dup2(other.fileno(), lock)
        homes.release()
        assert os.fstat(lock).st_ino == os.fstat(other.fileno()).st_ino
    os.close(lock)


@linux_only
def test_mappings_hold_no_descriptor_that_could_be_somebody_elses(tmp_path: Path) -> None:
    before = descriptors()
    homes = made(tmp_path, tmp_path / "hot")
    locks = {str(home._lock) for home in homes.each()}

    assert len(descriptors()) == len(before) + 2
    assert locks <= descriptors()
    homes.remove()
    assert len(descriptors()) == len(before)


def test_homes_are_removed_as_a_whole_and_leave_no_draft(tmp_path: Path) -> None:
    made(tmp_path, tmp_path / "hot").remove()

    assert list((tmp_path / "hot").iterdir()) == list((tmp_path / "cold").iterdir()) == []


def test_who_wrote_a_spool_can_be_read_back(tmp_path: Path) -> None:
    info = described(tmp_path)

    assert ProducerInfo.parse(info.dump()) == info


def test_what_an_earlier_version_wrote_can_be_read() -> None:
    info = ProducerInfo.parse(
        b'{"format":1,"producer":"p1","job_id":"job-1","rank":0,"host":"h","pid":7,'
        b'"namespace":"synapse","server":"redis://nowhere","has_memory":true}\n'
    )

    assert (info.job_id, info.owner.host, info.owner.pid, info.owner.boot) == (
        "job-1",
        "h",
        7,
        None,
    )


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b'{"format":2}', b'{"format":1}', b'{"format":"3"}', b"\xff"]
)
def test_a_foreign_description_is_a_decode_error(content: bytes) -> None:
    with pytest.raises(DecodeError, match="describe"):
        ProducerInfo.parse(content)


def test_a_later_format_is_told_from_a_damaged_one() -> None:
    with pytest.raises(UnknownFormat, match="format 9"):
        ProducerInfo.parse(b'{"format":9,"producer":"p1"}')


def test_shared_memory_belongs_to_a_spool_root_and_not_to_its_path(tmp_path: Path) -> None:
    """Containers with a common shared memory have the same paths on different volumes."""
    root, memory = tmp_path / "spool", tmp_path / "memory"
    before = hot_root(root, memory)
    root.rename(tmp_path / "another volume")
    after = hot_root(root, memory)

    assert before is not None
    assert before.parent.stat().st_mode & 0o777 == 0o700
    assert after != before
    assert hot_root(tmp_path / "another volume", memory) == before


def test_a_copied_root_has_shared_memory_of_its_own(tmp_path: Path) -> None:
    root, memory = tmp_path / "spool", tmp_path / "memory"
    original = hot_root(root, memory)
    shutil.copytree(root, tmp_path / "copy")

    assert hot_root(tmp_path / "copy", memory) != original
    assert hot_root(tmp_path / "copy", memory) == hot_root(tmp_path / "copy", memory)
    assert hot_root(root, memory) == original


def test_an_empty_root_in_shared_memory_goes_with_its_last_home(tmp_path: Path) -> None:
    root = hot_root(tmp_path, tmp_path / "memory")
    assert root is not None
    one = make_homes(described(tmp_path), root, None, refuse)
    other = make_homes(described(tmp_path, "p2"), root, None, refuse)

    one.remove()
    assert root.is_dir()
    other.remove()
    assert not root.exists()


def test_a_lock_that_somebody_closed_is_taken_again(tmp_path: Path) -> None:
    homes = made(tmp_path)
    assert homes.cold is not None
    lock = homes.cold._lock
    description = tmp_path / "cold" / "p1" / DESCRIPTION
    with (tmp_path / "other").open("wb") as other:
        os.dup2(other.fileno(), lock)
        homes.cold.hold()
        with description.open("rb+") as again, pytest.raises(BlockingIOError):
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert os.fstat(lock).st_ino == os.fstat(other.fileno()).st_ino
    os.close(lock)
    homes.release()
    with description.open("rb+") as again:
        fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
