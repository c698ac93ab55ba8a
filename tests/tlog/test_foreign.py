"""A verifier that others have written, golang.org/x/mod/sumdb, takes our logs as they are."""

from __future__ import annotations

import os
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest

from tests.support.logs import Log

_PACKAGES = Path("/usr/share/gocode")  # where Debian puts the sources of Go's packages
_PROGRAM = Path(__file__).parent / "foreign" / "main.go"


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it once."""
    go = shutil.which("go")
    if go is None or not (_PACKAGES / "src/golang.org/x/mod/sumdb").is_dir():
        if os.environ.get("CI"):
            pytest.fail("this needs Debian's packages golang-go and golang-golang-x-mod-dev")
        pytest.skip("Go and golang.org/x/mod are not installed")
    home = tmp_path_factory.mktemp("go")
    program = home / "verify"
    environ = {**os.environ, "GO111MODULE": "off", "GOPATH": str(_PACKAGES), "GOCACHE": str(home)}
    command = [go, "build", "-o", str(program), str(_PROGRAM)]
    subprocess.run(command, env=environ, check=True)
    return program


def run(verifier: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = [str(verifier), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("old", "size"), [(1, 1), (200, 256), (256, 700)])
def test_the_packages_of_go_accept_our_checkpoints_tiles_and_entries(
    verifier: Path, tmp_path: Path, old: int, size: int
) -> None:
    log = Log(tmp_path)
    before = log.add([b"entry %d" % number for number in range(old)]).checkpoint
    if size > old:
        log.add([b"entry %d" % number for number in range(old, size)])

    found = run(verifier, tmp_path, log.key, old)

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
        assert run(verifier, tmp_path, log.key).returncode
        (tmp_path / file).write_bytes(whole)

    assert run(verifier, tmp_path, other.key).returncode
    assert run(verifier, tmp_path, log.key).returncode == 0
