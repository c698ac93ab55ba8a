"""`synapse-stream witness`."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from synapse_stream.tlog.asking import KnownWitness, cosigned
from tests.support.logs import Log, new_pem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.commands import Said


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log")


@pytest.fixture
def options(log: Log, tmp_path: Path) -> list[str]:
    key = tmp_path / "witness.pem"
    key.write_bytes(new_pem())
    named = ["--name", "witness.example/w1", "--key", str(key)]
    return [*named, "--log", str(log.key), "--state", str(tmp_path / "state")]


def test_a_witness_looks_at_a_log_as_from_cron(
    log: Log, options: list[str], command: Callable[..., Said]
) -> None:
    assert command("witness", "look", str(log.folder.path), *options).code == 1
    log.add([b"1", b"2"])
    before = log.folder.read("checkpoint")
    assert before is not None
    for size in (2, 5):
        said = command("witness", "look", str(log.folder.path), *options)
        assert said.out == f"{size} entries of test.example/log cosigned\n"
        log.add([b"x"] * 3)
    log.folder.write("checkpoint", before)

    said = command("witness", "look", str(log.folder.path), *options)

    assert said.code == 1
    assert "5 entries of test.example/log were cosigned, not 2" in said.err


def test_a_witness_serves_until_it_is_stopped(
    log: Log, options: list[str], command: Callable[..., Said]
) -> None:
    signed = log.add([b"1", b"2"])
    words = [sys.executable, "-m", "synapse_stream.cli", "witness", "serve", "--port", "0"]
    with subprocess.Popen([*words, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        (known,) = KnownWitness.parse(process.stdout.readline())
        log.folder.put_cosigned(signed, known.cosign(log.folder, signed))
        process.terminate()

    assert process.returncode == 0
    assert [*cosigned(log.folder, [known])] == ["witness.example/w1"]
    wrong = ["--name", "a b", *options[2:]]
    assert command("witness", "look", str(log.folder.path), *wrong).code == 2
    wrong = [*options, "--log", "no key"]
    assert command("witness", "look", str(log.folder.path), *wrong).code == 2
