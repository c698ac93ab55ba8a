"""A verifier that others have written, golang.org/x/mod/sumdb, takes our logs as they are."""

from __future__ import annotations

import os
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest

from synapse_stream.tlog.proofs import inclusion
from tests.support.logs import Log

_PACKAGES = Path("/usr/share/gocode")  # where Debian puts the sources of Go's packages
_PROGRAM = Path(__file__).parent / "foreign" / "main.go"


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it once."""
    go = shutil.which("go")
    if go is None or not (_PACKAGES / "src/golang.org/x/mod/sumdb").is_dir():
        pytest.skip("this needs Debian's packages golang-go and golang-golang-x-mod-dev")
    home = tmp_path_factory.mktemp("go")
    program = home / "verify"
    environ = {**os.environ, "GO111MODULE": "off", "GOPATH": str(_PACKAGES), "GOCACHE": str(home)}
    command = [go, "build", "-o", str(program), str(_PROGRAM)]
    subprocess.run(command, env=environ, check=True)
    return program


def run(
    verifier: Path, log: Log, old: int = 1, key: object = None, proofs: str = ""
) -> subprocess.CompletedProcess[str]:
    command = [str(verifier), str(log.folder.path), str(key or log.key), str(old)]
    return subprocess.run(command, capture_output=True, text=True, check=False, input=proofs)


def proofs_of(log: Log, old: int) -> str:
    """Return our proofs: of growth since `old`, and that of every entry."""
    size, hashes = log.head.size, log.folder.tiles(log.head.size).hash
    found = [(old, log.proof(old)), *((i, inclusion(i, size, hashes)) for i in range(size))]
    return "".join(
        " ".join([str(number), *(b64encode(one).decode() for one in proof)]) + "\n"
        for number, proof in found
    )


@pytest.mark.parametrize(("old", "size"), [(1, 1), (200, 256), (256, 700)])
def test_the_packages_of_go_accept_our_checkpoints_tiles_entries_and_proofs(
    verifier: Path, tmp_path: Path, old: int, size: int
) -> None:
    log = Log(tmp_path)
    before = log.add([b"entry %d" % number for number in range(old)]).checkpoint
    if size > old:
        log.add([b"entry %d" % number for number in range(old, size)])

    found = run(verifier, log, old, proofs=proofs_of(log, old))

    assert found.stdout.split("\n")[:2] == [
        b64encode(before.root).decode(),
        f"{size} {b64encode(log.head.root).decode()}",
    ], found.stderr


def test_they_refuse_what_was_changed(verifier: Path, tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.add([b"entry %d" % number for number in range(300)])
    other = Log(tmp_path / "other", pem=b"")
    for file in ("tile/0/000", "tile/entries/001.p/44", "checkpoint"):
        whole = (tmp_path / file).read_bytes()
        (tmp_path / file).write_bytes(whole[:50] + bytes([whole[50] ^ 1]) + whole[51:])
        assert run(verifier, log).returncode
        (tmp_path / file).write_bytes(whole)

    assert run(verifier, log, key=other.key).returncode
    good = proofs_of(log, 200)
    assert run(verifier, log, 200, proofs=good).returncode == 0
    assert run(verifier, log, 200, proofs=good.replace("\n7 ", "\n8 ")).returncode
