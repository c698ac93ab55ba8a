"""`synapse-stream export` and `import`."""

from __future__ import annotations

import csv
import io
import os
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import zstandard

from synapse_stream.reading.stream import JobStream
from tests.support.chains import Chain
from tests.support.projecting import Consumers, project
from tests.support.servers import wait_until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    import pytest

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings
    from tests.support.commands import Said
    from tests.support.servers import TestServer

STARTED = {"type": "run_started", "host": "h", "pid": 1, "rank": 2}
METRICS = {"type": "metrics", "step": "training", "values": {"loss": 0.5, "n": "NaN"}, "x": 3}
MESSAGE = {"type": "message", "content": 'Häuser; "quoted"', "level": "info"}
END = {"type": "end", "status": "completed", "count": 4, "rank": 2}


def fill(log: EventLog, server: TestServer) -> None:
    chain = Chain("job-1", "p1")
    log.append(chain.add(STARTED, METRICS, MESSAGE))
    log.append(chain.add(END))
    log.append(Chain("job-1", "p2").add(*({},) * 60))
    server.command("XADD", log.keys.job("job-1"), "*", "no", "batch")


def test_export_trim_and_import_give_the_same_file(
    command: Callable[..., Said],
    log: EventLog,
    server: TestServer,
    settings: Settings,
    tmp_path: Path,
) -> None:
    fill(log, server)
    first, second = tmp_path / "first", tmp_path / "second"

    said = command("export", "job-1", "-o", str(first))
    assert (said.code, said.out) == (0, "")
    assert said.err == f"{first}: 64 events in 4 entries\n"
    assert command("import", str(first)).err.endswith("the same byte by byte\n")
    server.command("FLUSHALL")
    said = command("import", str(first))
    assert (said.code, said.err) == (0, "job 'job-1' is archived\n")
    assert command("export", "job-1", "-o", str(second)).code == 0

    assert first.read_bytes() == second.read_bytes()
    assert [e["event"]["type"] for e in command("events", "job-1", "--json").objects[:4]] == [
        *("run_started", "metrics", "message", "end")
    ]
    assert not list(tmp_path.glob("*.part"))


def test_an_archived_run_is_exported_when_its_stream_is_gone(
    command: Callable[..., Said],
    log: EventLog,
    server: TestServer,
    settings: Settings,
    tmp_path: Path,
) -> None:
    chain = Chain("job-1")
    log.append(chain.add({}, {}))
    log.append(chain.add({}))
    before, after = tmp_path / "before", tmp_path / "after"
    command("export", "job-1", "-o", str(before))
    project(settings)
    server.command("DEL", log.keys.job("job-1"))

    assert command("export", "job-1", "-o", str(after)).code == 0
    assert before.read_bytes() == after.read_bytes()


def test_the_views_of_an_imported_run_are_made(
    command: Callable[..., Said],
    log: EventLog,
    server: TestServer,
    settings: Settings,
    tmp_path: Path,
) -> None:
    log.append(Chain("job-1").add(STARTED, METRICS, MESSAGE, END))
    file = tmp_path / "run"
    command("export", "job-1", "-o", str(file))
    server.command("FLUSHALL")
    command("import", str(file))
    stream = JobStream("job-1", settings)

    with Consumers(settings):
        wait_until(lambda: stream.state() and list(stream.messages()) and stream.metrics())

    said = command("verify", "job-1")
    assert said.code == 0
    assert "3 views" in said.out


def test_a_changed_export_is_refused_and_nothing_is_imported(
    command: Callable[..., Said], log: EventLog, server: TestServer, tmp_path: Path
) -> None:
    fill(log, server)
    file = tmp_path / "run"
    command("export", "job-1", "-o", str(file))
    lines = zstandard.ZstdDecompressor().stream_reader(file.read_bytes()).read()
    file.write_bytes(zstandard.compress(lines.replace(b'"loss":0.5', b'"loss":0.4')))
    server.command("FLUSHALL")

    said = command("import", str(file))

    assert said.code == 1
    assert "numbers 0 to 2 of producer 'p1' do not follow" in said.err
    assert command("events", "job-1").code == 1


def test_cloudevents_have_the_attributes_of_the_specification(
    command: Callable[..., Said], log: EventLog, server: TestServer, tmp_path: Path
) -> None:
    fill(log, server)
    file = tmp_path / "run"

    assert command("export", "job-1", "--format", "cloudevents", "-o", str(file)).code == 0

    found = [orjson.loads(line) for line in file.read_bytes().splitlines()]
    assert len(found) == 65
    for event in found:
        assert event["specversion"] == "1.0"
        assert event["source"] == "/synapse-stream/jobs/job-1"
        assert all(name.isalnum() and name.islower() for name in event if name != "data_base64")
    assert len({event["id"] for event in found}) == 65
    assert (found[1]["id"], found[1]["type"]) == ("p1/1", "synapse_stream.metrics.v1")
    assert found[1]["time"] == "2025-11-23T06:40:00.000001Z"
    assert found[1]["data"]["values"] == {"loss": 0.5, "n": "NaN"}
    assert "data_base64" in found[-1]


def test_csv_has_a_line_an_event(
    command: Callable[..., Said], log: EventLog, server: TestServer, tmp_path: Path
) -> None:
    fill(log, server)
    file = tmp_path / "run.csv"

    assert command("export", "job-1", "-o", str(file)).code == 0  # the format is in the name

    with file.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    assert len(rows) == 65
    assert orjson.loads(rows[2]["fields"])["content"] == MESSAGE["content"]
    assert (rows[1]["producer"], rows[1]["seq"], rows[1]["step"]) == ("p1", "1", "training")


def test_parquet_tells_attempts_as_the_views_do(
    command: Callable[..., Said], log: EventLog, settings: Settings, tmp_path: Path
) -> None:
    from pyarrow import parquet

    point: dict[str, Any] = {"type": "metrics", "step": None, "values": {"loss": 1.0}}
    started: dict[str, Any] = {"type": "run_started", "host": "h", "pid": 1, "rank": 0}
    first, second, child = Chain("job-1", "a"), Chain("job-1", "b"), Chain("job-1", "c")
    log.append(first.add(started, point))
    log.append(second.add(started, point))
    log.append(child.add(point))
    log.append(first.add(point, {**started, "attempt": 7}, point))
    project(settings)
    file = tmp_path / "run.parquet"

    assert command("export", "job-1", "--format", "parquet", "-o", str(file)).code == 0
    found = parquet.read_table(file).to_pylist()
    shown = list(csv.DictReader(io.StringIO(command("metrics", "job-1", "--csv").out)))

    assert [row["attempt"] for row in found] == [1, 2, 2, 1, 7]
    assert sorted((str(row["attempt"]), row["position"]) for row in found) == sorted(
        (row["attempt"], row["position"]) for row in shown
    )


def test_parquet_has_a_row_a_value(
    command: Callable[..., Said], log: EventLog, server: TestServer, tmp_path: Path
) -> None:
    from math import isnan

    from pyarrow import parquet

    fill(log, server)
    file = tmp_path / "run.parquet"

    said = command("export", "job-1", "--format", "parquet", "-o", str(file))

    assert said.err == f"{file}: 2 values\n"
    rows = parquet.read_table(file).to_pylist()
    assert [(row["name"], row["rank"], row["step"], row["x"]) for row in rows] == [
        ("loss", 2, "training", 3.0),
        ("n", 2, "training", 3.0),
    ]
    assert rows[0]["value"] == 0.5
    assert isnan(rows[1]["value"])


def test_a_job_that_is_not_there_and_a_file_that_cannot_be_are_told(
    command: Callable[..., Said], log: EventLog, tmp_path: Path
) -> None:
    nobody = command("export", "nobody", "-o", str(tmp_path / "run"))
    missing = command("import", str(tmp_path / "missing"))
    log.append(Chain("job-1").add({}))
    nowhere = command("export", "job-1", "-o", str(tmp_path / "no" / "folder"))

    assert (nobody.code, nobody.err) == (1, "synapse-stream: there is no job 'nobody'\n")
    assert (missing.code, nowhere.code) == (2, 2)
    assert str(tmp_path / "missing") in missing.err
    assert not (tmp_path / "run").exists()


def test_a_device_a_fifo_and_the_standard_output_are_written_to_as_they_stand(
    command: Callable[..., Said], log: EventLog, server: TestServer, tmp_path: Path
) -> None:
    fill(log, server)
    plain, fifo, null = tmp_path / "plain", tmp_path / "fifo", tmp_path / "null"
    command("export", "job-1", "-o", str(plain))
    os.mkfifo(fifo)
    null.symlink_to("/dev/null")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()))
    reader.start()

    assert command("export", "job-1", "-o", str(fifo)).code == 0
    reader.join()
    assert command("export", "job-1", "-o", str(null)).code == 0
    assert command("export", "job-1", "-o", "/dev/null").code == 0

    assert read == [plain.read_bytes()]
    assert fifo.is_fifo()
    assert null.is_symlink()
    assert Path("/dev/null").is_char_device()


def test_the_standard_output_is_a_file_too(
    process: Callable[..., subprocess.Popen[bytes]],
    command: Callable[..., Said],
    log: EventLog,
    server: TestServer,
    tmp_path: Path,
) -> None:
    fill(log, server)
    command("export", "job-1", "-o", str(tmp_path / "plain"))

    out, _ = process("export", "job-1", "-o", "-").communicate()

    assert out == (tmp_path / "plain").read_bytes()


def test_behind_a_symbolic_link_the_target_is_replaced_and_keeps_its_mode(
    command: Callable[..., Said], log: EventLog, server: TestServer, tmp_path: Path
) -> None:
    fill(log, server)
    target, link = tmp_path / "deep" / "target", tmp_path / "link"
    target.parent.mkdir()
    target.write_text("before")
    target.chmod(0o640)
    link.symlink_to(target)

    assert command("export", "job-1", "-o", str(link)).code == 0

    assert link.is_symlink()
    assert target.read_bytes()[:4] == zstandard.FRAME_HEADER
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_an_export_that_fails_leaves_what_was_there(
    command: Callable[..., Said],
    log: EventLog,
    server: TestServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    fill(log, server)
    target = tmp_path / "target"
    target.write_text("before")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("synapse_stream.exports.exact.write_exact", fail)
    said = command("export", "job-1", "-o", str(target))

    assert (said.code, target.read_text()) == (2, "before")
    assert "No space left" in said.err
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []


def test_an_export_that_somebody_has_unpacked_is_imported(
    command: Callable[..., Said], log: EventLog, server: TestServer, tmp_path: Path
) -> None:
    fill(log, server)
    packed, plain, cut = tmp_path / "packed", tmp_path / "plain", tmp_path / "cut"
    command("export", "job-1", "-o", str(packed))
    content = zstandard.ZstdDecompressor().decompressobj().decompress(packed.read_bytes())
    plain.write_bytes(content)
    cut.write_bytes(content[:-30])
    server.command("FLUSHALL")

    assert command("import", str(cut)).code != 0
    said = command("import", str(plain))

    assert (said.code, said.err) == (0, "job 'job-1' is archived\n")
    assert command("import", str(packed)).err.endswith("the same byte by byte\n")
