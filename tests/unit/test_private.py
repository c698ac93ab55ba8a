from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from synapse_stream.system.private import make_file, make_folder, open_own, replace_file, write_file

if TYPE_CHECKING:
    from pathlib import Path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_all_that_is_made_is_its_users_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_folder(tmp_path / "a" / "b" / "c")
        make_file(tmp_path / "a" / "made")
        write_file(tmp_path / "a" / "written", b"x")
        replace_file(tmp_path / "a" / "replaced", b"x")
        os.close(open_own(tmp_path / "a" / "opened"))
    finally:
        os.umask(before)

    assert {mode(path) for path in tmp_path.glob("a/**/*") if path.is_dir()} == {0o700}
    assert mode(tmp_path / "a") == 0o700
    files = {path.name: mode(path) for path in tmp_path.glob("a/*") if path.is_file()}
    assert files == dict.fromkeys(("made", "written", "replaced", "opened"), 0o600)


def test_a_link_in_the_place_of_a_file_of_ours_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="symbolic links"):
        open_own(tmp_path / "link")

    assert not (tmp_path / "elsewhere").exists()


def test_what_is_there_stays_as_it_is(tmp_path: Path) -> None:
    folder, file = tmp_path / "shared", tmp_path / "file"
    folder.mkdir(mode=0o750)
    file.write_text("kept")
    file.chmod(0o640)

    make_folder(folder)
    make_file(file)

    assert (mode(folder), mode(file), file.read_text()) == (0o750, 0o640, "kept")
