"""What the breaks are, and how one is applied."""

from __future__ import annotations

import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from shutil import copy2

ROOT = Path(__file__).parents[2]
_FOLDER = Path(__file__).parent / "areas"


@dataclass(frozen=True, slots=True)
class Break:
    """One place of one file, changed for the worse."""

    area: str
    title: str
    """What goes wrong."""
    file: str
    old: str
    new: str
    notices: str
    """Test folder or file that must turn red."""

    def __str__(self) -> str:
        return f"{self.area}: {self.title}"

    def apply(self, tree: Path) -> None:
        """Change the file in a tree.

        Raises:
            ValueError: the text is not there, or more than once: the break is to be brought up to
                date.
        """
        text = (tree / self.file).read_text()
        if text.count(self.old) != 1:
            msg = f"{self}: its text stands {text.count(self.old)} times in {self.file}"
            raise ValueError(msg)
        (tree / self.file).write_text(text.replace(self.old, self.new))


def all_breaks() -> list[Break]:
    """Return every break, area by area."""
    return [
        Break(path.stem, **{name: text.strip("\n") for name, text in one.items()})
        for path in sorted(_FOLDER.glob("*.toml"))
        for one in tomllib.loads(path.read_text())["break"]
    ]


def copy_tree(target: Path) -> None:
    """Copy what is committed, or would be, to a folder."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listing.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            copy2(ROOT / name, target / name)
