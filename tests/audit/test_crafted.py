"""Whoever may write to store, server and anchors can write anything: it makes its own run broken.

The others are verified as ever, in a bounded memory, and nothing waits without end.
"""

from __future__ import annotations

import os
import tracemalloc
from typing import TYPE_CHECKING

import pytest
import zstandard

from consumers.audit import auditor
from consumers.audit.archived import ArchiveCheck
from consumers.audit.findings import MOST
from consumers.folding import marking
from synapse_stream.entries.batch import encode_fields
from synapse_stream.ports.audit import Report, Verdict, open_auditor
from tests.support.anchoring import anchor, folder, settings
from tests.support.chains import Chain
from tests.support.logs import Log

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.tampering import Deployment

__all__ = ["settings"]

CRAFTED, OTHER = "job-1", "job-2"
_MOST_MEMORY = 256 << 20


@pytest.fixture(autouse=True)
def _marks_are_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marking, "EVENTS", 5)


def bomb(mebibytes: int, *, is_silent: bool = False) -> bytes:
    """Return a small frame of very many newlines."""
    packer = zstandard.ZstdCompressor(write_content_size=not is_silent)
    frame = packer.compressobj(size=-1 if is_silent else mebibytes << 20)
    part = b"\n" * (1 << 20)
    return b"".join([*(frame.compress(part) for _ in range(mebibytes)), frame.flush()])


def claim(size: int) -> bytes:
    """Return a frame that says that it is that large, and is not."""
    return b"\x28\xb5\x2f\xfd\xe0" + size.to_bytes(8, "little") + b"\x01\x00\x00"


def both(deployment: Deployment) -> list[Report]:
    """Verify the crafted run and the other, in a memory that is bounded."""
    opened = open_auditor(deployment.settings)
    tracemalloc.start()
    found = [opened.verify(CRAFTED), opened.verify(OTHER)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    opened.close()
    assert peak < _MOST_MEMORY
    return found


def recorded(deployment: Deployment) -> None:
    for job in (CRAFTED, OTHER):
        deployment.run(job)
    deployment.project()
    anchor(deployment)


_OF_JOB = "(SELECT no FROM job WHERE job_id = 'job-1')"
_CHANGES = [
    ("archive", "block", "body = 'a text'", ()),
    ("archive", "block", "body = 1000000000000", ()),
    ("archive", "block", "body = 1.5", ()),
    ("archive", "block", "body = zeroblob(80000000)", ()),
    ("archive", "block", "is_loose = 0, body = ?", (claim(1 << 50),)),
    ("archive", "block", "is_loose = 0, body = ?", (bomb(160),)),
    ("archive", "block", "is_loose = 0, body = ?", (bomb(160, is_silent=True),)),
    ("archive", "block", "digest = 'a text'", ()),
    ("archive", "block", "digest = 32", ()),
    ("archive", "block", "entries = -1", ()),
    ("archive", "block", "start = 9223372036854775807", ()),
    ("archive", "job", "document = ?", (claim(1 << 50),)),
    ("archive", "job", "document = ?", (b"[" * 100_000,)),
    ("archive", "job", "document = 'a text'", ()),
    ("run-state", "mark", "document = ?", (claim(1 << 50),)),
    ("run-state", "mark", "document = ?", (bomb(160),)),
    ("run-state", "job", "document = ?", (claim(1 << 50),)),
    ("run-state", "job", "document = ?", (bomb(160, is_silent=True),)),
    ("run-state", "job", "document = 1000000000000", ()),
    ("metric-history", "chunk", "body = ?", (claim(1 << 50),)),
]


def test_what_was_put_into_the_store_is_found_of_its_run(deployment: Deployment) -> None:
    recorded(deployment)
    assert {report.verdict for report in both(deployment)} == {Verdict.INTACT}
    for projection, table, change, given in _CHANGES:
        where = "job_id = 'job-1'" if table == "job" else f"job_no = {_OF_JOB}"
        if table == "chunk":
            where = f"series_no IN (SELECT no FROM series WHERE job_no = {_OF_JOB})"
        with deployment.databases.of(projection).write("test") as connection:
            for statement, words in (
                (f"CREATE TABLE kept AS SELECT * FROM {table} WHERE {where}", ()),
                (f"UPDATE {table} SET {change} WHERE {where}", given),
            ):
                connection.exec_driver_sql(statement, words)

        crafted, other = both(deployment)

        assert crafted.verdict is Verdict.BROKEN, change
        assert other.verdict is Verdict.INTACT, change
        with deployment.databases.of(projection).write("test") as connection:
            connection.exec_driver_sql(f"DELETE FROM {table} WHERE {where}")
            connection.exec_driver_sql(f"INSERT INTO {table} SELECT * FROM kept")
            connection.exec_driver_sql("DROP TABLE kept")
    assert {report.verdict for report in both(deployment)} == {Verdict.INTACT}


def test_what_was_put_into_a_stream_is_found_of_its_run(deployment: Deployment) -> None:
    recorded(deployment)
    key = deployment.log.keys.job(CRAFTED)
    sound = encode_fields(Chain(CRAFTED, "crafted").add())
    for change in (
        {"z": bomb(60)},
        {"z": bomb(60, is_silent=True)},
        {"z": claim(1 << 50)},
        {"z": zstandard.compress(sound["d"]) + b"more"},
        {"d": b"\n" * 65_537},
        {"d": b"x" * (3 << 20)},
        {"n": b"9" * 5000},
        {"m": b"9007199254740993"},
        {"p": b"\xff"},
    ):
        fields = {**sound, **change}
        if "z" in change:
            fields.pop("d")
        words = [word for pair in fields.items() for word in pair]
        place = deployment.redis("XADD", key, "*", *words)

        crafted, other = both(deployment)

        assert (crafted.verdict, other.verdict) == (Verdict.BROKEN, Verdict.INTACT)
        deployment.redis("XDEL", key, place)


def test_very_many_differences_are_not_all_kept(deployment: Deployment) -> None:
    recorded(deployment)
    key = deployment.log.keys.job(CRAFTED)
    for _ in range(MOST + 100):
        deployment.redis("XADD", key, "*", "x", "y")

    crafted, _ = both(deployment)

    assert len(crafted.findings) == MOST
    assert "there are more differences than are listed" in crafted.notes


def a_folder(path: Path) -> None:
    path.mkdir()


def a_link_to_nothing(path: Path) -> None:
    path.symlink_to("/nowhere")


@pytest.mark.parametrize("make", [os.mkfifo, a_folder, a_link_to_nothing])
def test_what_is_no_file_among_the_anchors_keeps_nobody_waiting(
    deployment: Deployment, make: Callable[[Path], None]
) -> None:
    recorded(deployment)
    home = folder(deployment.settings).path
    make(home / "more")
    make(home / "tile" / "more")
    assert {report.verdict for report in both(deployment)} == {Verdict.INTACT}
    for name in ("checkpoint", "tile/entries/000.p/3"):
        whole = (home / name).read_bytes()
        (home / name).unlink()
        make(home / name)
        found = {report.verdict for report in both(deployment)}
        assert found <= {Verdict.BROKEN, Verdict.UNVERIFIED}
        (home / name).rename(home / "aside")
        (home / name).write_bytes(whole)
        (home / "aside").rename(home / f"odd-{name.count('/')}")


def test_another_namespace_with_its_own_key_has_its_anchors_in_the_same_folder(
    deployment: Deployment,
) -> None:
    recorded(deployment)
    mine = folder(deployment.settings).path
    for name in ("other", f"{mine.name}.more"):
        Log(mine.with_name(name)).add([b"another's"])

    assert {report.verdict for report in both(deployment)} == {Verdict.INTACT}


def test_an_error_that_nobody_foresaw_is_that_of_its_run(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(deployment)

    class Failing(ArchiveCheck):
        def judge_manifest(self) -> None:
            if self.job_id == CRAFTED:
                raise MemoryError(self.job_id)

    monkeypatch.setattr(auditor, "ArchiveCheck", Failing)

    crafted, other = both(deployment)

    assert (crafted.verdict, other.verdict) == (Verdict.UNVERIFIED, Verdict.INTACT)
    assert crafted.notes == [f"it could not be verified: MemoryError: {CRAFTED}"]
