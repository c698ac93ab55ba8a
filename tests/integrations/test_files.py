"""Runs in files of other programs, as jobs; files of the real ones are in `make integrations`."""

from __future__ import annotations

import json
import math
import sqlite3
import struct
import zlib
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from synapse_stream import JobStream
from synapse_stream.integrations.files.tfrecords import masked_crc, records
from tests.support.commands import Said, command, environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Command = Callable[..., Said]

__all__ = ["command", "environment"]

TIME = 1_763_880_000.123456
TIME_US = 1_763_880_000_123_456


def field(number: int, value: Any) -> bytes:
    """Return a field of a message: a double, an int, text or bytes."""
    if isinstance(value, float):
        return bytes([number << 3 | 1]) + struct.pack("<d", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    value %= 1 << 64
    found = b""
    while value >= 128:
        found, value = found + bytes([value & 127 | 128]), value >> 7
    return found + bytes([value])


def single(number: int, value: float) -> bytes:
    return bytes([number << 3 | 5]) + struct.pack("<f", value)


def record(data: bytes) -> bytes:
    """Return a record of TensorFlow's."""
    head = struct.pack("<Q", len(data))
    return b"".join(
        [head, struct.pack("<I", masked_crc(head)), data, struct.pack("<I", masked_crc(data))]
    )


def event(step: int, *values: bytes, time: float = TIME) -> bytes:
    return record(
        field(1, time) + field(2, step) + field(5, b"".join(field(1, value) for value in values))
    )


def scalar(tag: str, value: float) -> bytes:
    return field(1, tag) + single(2, value)


def tensor(tag: str, plugin: str, dtype: int, content: bytes) -> bytes:
    metadata = field(9, field(1, field(1, plugin)))
    return field(1, tag) + metadata + field(8, field(1, dtype) + content)


def found(job_id: str) -> list[Any]:
    return [recorded.event for recorded in JobStream(job_id).read()]


def points(job_id: str) -> list[tuple[int, Any, dict[str, Any]]]:
    return [(e.time, e.x, dict(e.values)) for e in found(job_id) if e.type == "metrics"]


def test_the_checksum_is_that_of_the_format() -> None:
    """As RFC 3720 has it for 32 bytes of zeros, masked."""
    crc = 0x8A9136AA
    assert masked_crc(bytes(32)) == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_tensorboards_scalars_and_texts_with_their_times(command: Command, tmp_path: Path) -> None:
    home = tmp_path / "logs" / "fit"
    home.mkdir(parents=True)
    file = home / "events.out.tfevents.1.host"
    file.write_bytes(
        record(field(1, TIME) + field(3, "brain.Event:2"))
        + event(0, scalar("loss", 0.1), scalar("acc", 0.5))
        + event(7, tensor("lr", "scalars", 2, field(4, struct.pack("<d", 0.3))))
        + event(-1, tensor("n", "scalars", 9, field(10, varint(5))), time=TIME + 1)
        + event(8, scalar("loss", math.nan), scalar("loss", math.inf))
        + event(9, tensor("about", "text", 7, field(8, "a line")))
        + event(9, field(1, "weights") + field(5, b""), field(1, "weights") + field(5, b""))
    )

    said = command("import", str(tmp_path / "logs"))

    assert said.code == 0, said.err
    assert said.err == "  left out: 2 histograms\n"
    single_tenth = struct.unpack("<f", struct.pack("<f", 0.1))[0]
    seen = points("fit")
    assert seen[:4] == [
        (TIME_US, 0, {"loss": single_tenth}),
        (TIME_US, 0, {"acc": 0.5}),
        (TIME_US, 7, {"lr": 0.3}),
        (TIME_US + 1_000_000, -1, {"n": 5}),
    ]
    assert math.isnan(seen[4][2]["loss"])
    assert seen[5][2] == {"loss": math.inf}
    start, *_, end = found("fit")
    assert start.labels["imported_from"] == "tensorboard: fit"
    assert start.labels["imported_sha256"] == sha256(file.read_bytes()).hexdigest()
    assert (end.status, end.count) == ("completed", len(found("fit")))
    assert [(e.event, e.data) for e in found("fit") if e.type == "log"] == [
        ("a line", {"tag": "about", "global_step": 9})
    ]


def test_what_is_damaged_costs_itself_and_is_said(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "events.out.tfevents.1.host"
    good = [event(n, scalar("loss", n)) for n in range(6)]
    spoilt = bytearray(good[1])
    spoilt[-6] ^= 1  # of its data
    headless = bytearray(good[3])
    headless[0] ^= 1
    file.write_bytes(good[0] + spoilt + good[2] + headless + good[4] + good[5][:-5])

    said = command("import", str(file), "--job", "cut")

    assert said.code == 1
    assert [x for _, x, _ in points("cut")] == [0, 2, 4]
    lines = said.err.splitlines()
    assert [line.partition("host: ")[2].split(" ")[0] for line in lines] == ["the", "bytes", "the"]
    assert "is cut at byte" in lines[-1]
    assert len([e for e in found("cut") if e.type == "message"]) == 3
    assert [bytes(one) for one in records(good[0]) if isinstance(one, bytes)] == [good[0][12:-4]]


def test_imported_again_it_is_there_and_another_one_is_refused(
    command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "events.out.tfevents.1.host"
    file.write_bytes(b"".join(event(n, scalar("loss", n)) for n in range(2500)))
    first = command("import", str(file), "--job", "job")
    count = len(found("job"))

    again = command("import", str(file), "--job", "job")
    file.write_bytes(file.read_bytes() + event(9, scalar("loss", 9)))
    other = command("import", str(file), "--job", "job")

    assert (first.code, again.code, other.code) == (0, 0, 1)
    assert "job 'job' had already 2502 events" in again.out
    assert "no import of" in other.err
    assert len(found("job")) == count == 2502


def test_lines_of_json_with_a_mapping(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    rows = [
        {"ts": 1_763_880_000_123, "n": 1, "loss": 0.1, "in": {"acc": 1e-300}, "msg": "begun"},
        {"ts": "2025-11-23T07:00:00.000001+01:00", "n": 2, "loss": math.nan, "note": "odd"},
        {"n": 3, "loss": 1},
    ]
    file.write_text("\n".join(map(json.dumps, rows)) + "\n[1]\nno JSON\n")
    mapping = {"time": "ts", "time_unit": "ms", "x": "n", "text": "msg"}

    said = command("import", str(file), "--map", json.dumps(mapping))

    assert said.code == 1
    assert said.err.count("not readable: line ") == 3
    seen = points("train")
    assert seen[0] == (1_763_880_000_123_000, 1, {"loss": 0.1, "in/acc": 1e-300})
    assert (seen[1][0], seen[1][1]) == (1_763_877_600_000_001, 2)
    assert [(e.event, e.data) for e in found("train") if e.type == "log"] == [
        ("begun", {}), ("row", {"note": "odd"}),
    ]  # fmt: skip

    (tmp_path / "map.json").write_text(json.dumps({**mapping, "metrics": ["loss"]}))
    chosen = command("import", str(file), "--job", "one", "--map", f"@{tmp_path / 'map.json'}")
    assert chosen.code == 1
    assert points("one")[0][2] == {"loss": 0.1}


@pytest.mark.parametrize("wrong", ["[]", "{", '{"x": "n"}', '{"time": "t", "time_unit": "h"}'])
def test_a_wrong_mapping_is_wrong_use(command: Command, tmp_path: Path, wrong: str) -> None:
    (tmp_path / "a.jsonl").write_text("{}\n")

    said = command("import", str(tmp_path / "a.jsonl"), "--map", wrong)

    assert (said.code, "must be a JSON object with time" in said.err) == (2, True)


def test_mlflows_folder(command: Command, tmp_path: Path) -> None:
    for run, status in (("run-1", 3), ("run-2", 4)):
        home = tmp_path / "mlruns" / "0" / run
        for folder in ("metrics/val", "params", "tags", "artifacts"):
            (home / folder).mkdir(parents=True)
        (home / "meta.yaml").write_text(f"run_id: {run}\nrun_name: 'one'\nstatus: {status}\n")
        (home / "metrics" / "loss").write_text(
            "1763880000123 0.1 0\n1763880000125 nan 1\nbroken\n1763880000126 5e-324 2\n"
        )
        (home / "metrics" / "val" / "acc").write_text("1763880000124 0.5 0\n")
        (home / "params" / "lr").write_text("0.1")
        (home / "tags" / "who").write_text("me")
        (home / "tags" / "mlflow.user").write_text("root")
    (tmp_path / "mlruns" / "0" / "meta.yaml").write_text("experiment_id: '0'\n")

    said = command("import", str(tmp_path / "mlruns"))

    assert said.code == 1
    assert said.err.count("not readable: metric loss, line 3") == 2
    start, *_, end = found("run-1")
    assert start.params == {"lr": "0.1"}
    assert (start.labels["run"], start.labels["who"], "end" in start.labels) == ("one", "me", False)
    assert [(t % 1000_000 // 1000, x, list(v)) for t, x, v in points("run-1")] == [
        (123, 0, ["loss"]), (124, 0, ["val/acc"]), (125, 1, ["loss"]), (126, 2, ["loss"]),
    ]  # fmt: skip
    assert points("run-1")[-1][2]["loss"] == 5e-324
    assert (end.status, found("run-2")[-1].status) == ("completed", "failed")
    assert command("import", str(tmp_path / "mlruns"), "--job", "x").code == 2


def test_mlflows_database(command: Command, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.executescript(
            """
            CREATE TABLE experiments (experiment_id, name);
            CREATE TABLE runs (run_uuid, name, status, start_time, experiment_id);
            CREATE TABLE metrics (run_uuid, key, value, timestamp, step, is_nan);
            CREATE TABLE params (run_uuid, key, value);
            CREATE TABLE tags (run_uuid, key, value);
            INSERT INTO experiments VALUES (0, 'Default');
            INSERT INTO runs VALUES ('abc', 'one', 'KILLED', 1, 0);
            INSERT INTO metrics VALUES ('abc', 'loss', 0.1, 1763880000123, 4, 0);
            INSERT INTO metrics VALUES ('abc', 'loss', 0, 1763880000124, 5, 1);
            INSERT INTO params VALUES ('abc', 'api_key', 'sk-1234567890abcdefghij');
            INSERT INTO tags VALUES ('abc', 'mlflow.user', 'root');
            """
        )
    database.close()

    assert command("import", str(tmp_path / "mlflow.db")).code == 0
    start, *_, end = found("abc")
    assert start.labels["experiment"] == "Default"
    assert start.params == {"api_key": "***"}
    assert points("abc")[0] == (1_763_880_000_123_000, 4, {"loss": 0.1})
    assert math.isnan(points("abc")[1][2]["loss"])
    assert end.status == "cancelled"


def test_trackios_database(command: Command, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "digits.db") as database:
        database.execute(
            "CREATE TABLE metrics (id INTEGER PRIMARY KEY, timestamp, run_name, step, metrics)"
        )
        rows = [
            ("2025-11-23T06:00:00.123456+00:00", "one", 0, '{"loss":0.1,"in":{"a":"NaN"}}'),
            ("2025-11-23T06:00:01", "one", 1, b'{"note":"text"}'),
            ("yesterday", "one", 2, "{}"),
            ("2025-11-23T06:00:02+00:00", "two", 0, '{"loss":2}'),
        ]
        database.executemany(
            "INSERT INTO metrics (timestamp, run_name, step, metrics) VALUES (?,?,?,?)", rows
        )
    database.close()

    said = command("import", str(tmp_path / "digits.db"))

    assert (said.code, said.err.count("not readable: row 3 of metrics")) == (1, 1)
    (time, x, values), *_ = points("digits.one")
    assert (time, x, values["loss"]) == (1_763_877_600_123_456, 0, 0.1)
    assert math.isnan(values["in/a"])
    assert [e.data for e in found("digits.one") if e.type == "log"] == [{"x": 1, "note": "text"}]
    assert len(points("digits.two")) == 1


def test_wandbs_offline_run(command: Command, tmp_path: Path) -> None:
    def item(name: str, text: str) -> bytes:
        return field(1, field(2, name) + field(16, text))

    def row(n: int) -> bytes:
        parts = item("_step", str(n)) + item("_timestamp", str(TIME + n)) + item("loss", "0.1")
        return field(2, parts + field(1, field(2, "in") + field(2, "a") + field(16, "NaN")))

    run = field(17, field(1, "w-1") + field(3, "digits") + field(4, item("lr", "0.5")))
    blocks = log_of([run, *map(row, range(1000)), field(18, field(1, 1))])
    (tmp_path / "run-w-1.wandb").write_bytes(blocks)
    spoilt = bytearray(blocks)
    spoilt[40_000] ^= 1
    (tmp_path / "run-spoilt.wandb").write_bytes(spoilt[:-3])

    good = command("import", str(tmp_path / "run-w-1.wandb"))
    damaged = command("import", str(tmp_path / "run-spoilt.wandb"), "--job", "spoilt")

    assert (good.code, damaged.code) == (0, 1), good.err
    start, *_, end = found("w-1")
    assert (start.params, start.labels["project"]) == ({"lr": 0.5}, "digits")
    assert (len(points("w-1")), points("w-1")[999][:2]) == (1000, (TIME_US + 999_000_000, 999))
    assert math.isnan(points("w-1")[0][2]["in.a"])
    assert end.status == "failed"
    assert 0 < len(points("spoilt")) < 1000
    assert points("spoilt")[-1][1] == 999  # what stands behind the damage
    assert damaged.err.count("are damaged") == 2
    assert damaged.err.count("not readable") == 2


def log_of(entries: list[bytes]) -> bytes:
    """Return the log in which W&B keeps records: blocks of 32 KiB, records in parts."""
    found = b":W&B\xe1\xbe\0"
    for data in entries:
        kind, rest = 1, data
        while True:
            left = 32_768 - len(found) % 32_768
            if left < 7:
                found, left = found + bytes(left), 32_768
            part, rest = rest[: left - 7], rest[left - 7 :]
            kind = {(1, True): 2, (1, False): 1, (2, True): 3, (2, False): 4}[
                1 if part == data[: len(part)] and len(part) + len(rest) == len(data) else 2,
                bool(rest),
            ]
            checksum = zlib.crc32(part, zlib.crc32(bytes([kind])))
            found += struct.pack("<IHB", checksum, len(part), kind) + part
            if not rest:
                break
    return found


def test_what_is_of_no_known_format_is_said(command: Command, tmp_path: Path) -> None:
    (tmp_path / "lines.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "damaged.db").write_bytes(b"SQLite format 3\0" + bytes(100))
    (tmp_path / "empty").mkdir()

    assert "say by --map" in command("import", str(tmp_path / "lines.jsonl")).err
    assert command("import", str(tmp_path / "damaged.db")).code == 2
    assert "no run of a known format" in command("import", str(tmp_path / "empty")).err
    assert command("import", str(tmp_path / "nothing")).code == 2
