"""Which commit a process runs, told from git's files; git itself makes them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from synapse_stream.system.revision import revision

if TYPE_CHECKING:
    from pathlib import Path


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a work tree with one commit on the branch `main`."""
    home = tmp_path / "tree"
    (home / "deep" / "er").mkdir(parents=True)
    git(home, "init", "--quiet", "--initial-branch", "main")
    git(home, "commit", "--quiet", "--allow-empty", "-m", "first")
    return home


def test_commit_and_branch_from_any_folder_of_the_tree(tree: Path) -> None:
    commit = git(tree, "rev-parse", "HEAD")

    assert revision(tree / "deep" / "er") == {"commit": commit, "branch": "main"}
    git(tree, "pack-refs", "--all")
    assert revision(tree) == {"commit": commit, "branch": "main"}
    git(tree, "checkout", "--quiet", "--detach")
    assert revision(tree) == {"commit": commit}


def test_a_worktree_has_a_branch_of_its_own(tree: Path, tmp_path: Path) -> None:
    git(tree, "worktree", "add", "--quiet", "-b", "team/other", str(tmp_path / "other"))
    git(tmp_path / "other", "commit", "--quiet", "--allow-empty", "-m", "second")
    commit = git(tmp_path / "other", "rev-parse", "HEAD")

    assert revision(tmp_path / "other") == {"commit": commit, "branch": "team/other"}
    git(tree, "pack-refs", "--all")
    assert revision(tmp_path / "other") == {"commit": commit, "branch": "team/other"}


def test_where_nothing_can_be_told_there_is_nothing(tree: Path, tmp_path: Path) -> None:
    assert revision(tmp_path) is None
    (tree / ".git" / "HEAD").write_bytes(b"\xff\xfe")
    assert revision(tree) is None
    (tree / ".git" / "HEAD").write_text("ref: refs/heads/unborn\n")
    assert revision(tree) == {"branch": "unborn"}
    (tree / ".git" / "HEAD").unlink()
    assert revision(tree) is None
