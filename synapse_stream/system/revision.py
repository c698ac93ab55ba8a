"""Which revision of its code a process runs, as the files of git tell: no process is started."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_MOST_FOLDERS = 40


def revision(folder: Path) -> dict[str, str] | None:
    """Return commit and branch of the work tree that `folder` is in; None where there is none.

    Whether files were changed since is not told: git itself would have to look at all of them.
    """
    try:
        home = _git_folder(folder)
        return None if home is None else _head_of(home)
    except (OSError, ValueError):  # not ours to read, or damaged
        return None


def _git_folder(folder: Path) -> Path | None:
    for each in [folder, *folder.parents][:_MOST_FOLDERS]:
        found = each / ".git"
        if found.is_dir():
            return found
        if found.is_file():  # of a worktree, or a submodule
            kind, _, path = found.read_text().strip().partition(": ")
            return each / path if kind == "gitdir" else None
    return None


def _head_of(home: Path) -> dict[str, str] | None:
    head = (home / "HEAD").read_text().strip()
    if not head.startswith("ref: "):
        return {"commit": head} if _COMMIT.fullmatch(head) else None
    name = head.removeprefix("ref: ")
    commit = _commit_of(home, name)
    branch = name.removeprefix("refs/heads/")
    return {"branch": branch} if commit is None else {"commit": commit, "branch": branch}


def _commit_of(home: Path, name: str) -> str | None:
    """Return the commit of a branch; None where it has none yet."""
    common = home / "commondir"  # of a worktree
    shared = home / common.read_text().strip() if common.is_file() else home
    for place in (home, shared):
        loose = place / name
        if loose.is_file():
            commit = loose.read_text().strip()
            return commit if _COMMIT.fullmatch(commit) else None
    packed = shared / "packed-refs"
    for line in packed.read_text().splitlines() if packed.is_file() else ():
        commit, _, ref = line.partition(" ")
        if ref == name and _COMMIT.fullmatch(commit):
            return commit
    return None
