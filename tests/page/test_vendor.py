"""Foreign code in the page is what its authors published, byte by byte, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "consumers/api/page"
VENDOR = PAGE / "static/vendor"
LOCK: dict[str, Any] = json.loads((VENDOR / "vendor.lock.json").read_text())
PINNED = {name: file for package in LOCK.values() for name, file in package["files"].items()}


def unnamed(folder: Path) -> set[str]:
    """Return the files of a vendor folder that the lock does not name."""
    held = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return held - PINNED.keys() - {"vendor.lock.json"}


def changed(folder: Path) -> list[str]:
    """Return the files that are not what the lock pins."""
    return [
        name
        for name, file in PINNED.items()
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != file["sha256"]
    ]


def test_every_vendored_file_is_what_the_lock_pins_and_no_other_is_there() -> None:
    assert changed(VENDOR) == []
    assert unnamed(VENDOR) == set()


def test_a_changed_and_an_added_file_are_seen(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(VENDOR, tmp_path / "vendor"))
    with (copy / "lit-html.js").open("a") as file:
        file.write("// a word more\n")
    (copy / "extra.js").touch()

    assert changed(copy) == ["lit-html.js"]
    assert unnamed(copy) == {"extra.js"}


def test_every_vendored_package_brings_its_licence() -> None:
    for name, package in LOCK.items():
        licences = [file for file in package["files"] if file.endswith(".LICENSE.txt")]
        assert licences, name
        assert "Copyright" in (VENDOR / licences[0]).read_text(), name


def test_the_wheel_holds_the_page_and_the_licences(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
        stray = [
            name
            for name in PINNED
            if hashlib.sha256(archive.read(_shipped(name))).hexdigest() != PINNED[name]["sha256"]
        ]
        (metadata,) = [name for name in held if name.endswith(".dist-info/METADATA")]
        about = archive.read(metadata).decode()

    page = {str(path.relative_to(ROOT)) for path in PAGE.rglob("*") if path.is_file()}
    assert {name for name in page if not name.endswith(".pyc")} <= held
    assert stray == []
    for package in LOCK.values():
        assert package["license"] in about.partition("License-Expression:")[2].splitlines()[0]
    assert sum(name.endswith(".LICENSE.txt") and "dist-info" in name for name in held) == len(LOCK)


@pytest.mark.skipif("VENDOR_ONLINE" not in os.environ, reason="set VENDOR_ONLINE=1 to ask npm")
@pytest.mark.parametrize("name", sorted(LOCK))
def test_npm_has_the_same_bytes(name: str, tmp_path: Path) -> None:
    package = LOCK[name]
    spec = f"{name}@{package['version']}"
    npm = shutil.which("npm")
    assert npm, "npm is not on PATH"
    subprocess.run([npm, "pack", "--silent", spec], cwd=tmp_path, check=True, capture_output=True)
    told = subprocess.run(
        [npm, "view", spec, "dist.integrity"], check=True, capture_output=True, text=True
    )
    (tarball,) = tmp_path.glob("*.tgz")
    digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()

    assert package["integrity"] == told.stdout.strip() == f"sha512-{digest}"
    with tarfile.open(tarball) as archive:
        for kept, file in package["files"].items():
            published = archive.extractfile(f"package/{file['from']}")
            assert published is not None
            assert published.read() == (VENDOR / kept).read_bytes(), kept


def _shipped(name: str) -> str:
    return str((VENDOR / name).relative_to(ROOT))
