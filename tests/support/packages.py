"""Packages outside of the tree that bring views, installed for as long as a test needs them."""

from __future__ import annotations

import importlib
import shutil
import sys
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from consumers import views
from consumers.views.of_packages import view

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EXAMPLES = Path(__file__).parents[2] / "examples" / "own_views"
GROUP = "synapse_stream.views"


def put_example(site: Path) -> Path:
    """Put the example's package into a folder as pip does."""
    project = tomllib.loads((EXAMPLES / "pyproject.toml").read_text())["project"]
    shutil.copytree(EXAMPLES / "own_views", site / "own_views")
    put_metadata(site, project["name"], project["entry-points"][GROUP])
    return site


def put_module(site: Path, name: str, text: str, entry_points: Mapping[str, str]) -> Path:
    """Put a package of one module into a folder as pip does."""
    site.mkdir(parents=True, exist_ok=True)
    (site / f"{name}.py").write_text(text)
    put_metadata(site, name, entry_points)
    return site


def put_metadata(site: Path, name: str, entry_points: Mapping[str, str]) -> None:
    """Write what tells that a package is installed, and which views it names."""
    home = site / f"{name.replace('-', '_')}-1.0.dist-info"
    home.mkdir(parents=True, exist_ok=True)
    (home / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = "".join(f"{view} = {value}\n" for view, value in entry_points.items())
    (home / "entry_points.txt").write_text(f"[{GROUP}]\n{lines}")


@contextmanager
def installed(*sites: Path) -> Iterator[None]:
    """Have what lies in these folders be installed, in this process and those that it forks.

    Threads of other deployments in this process may ask meanwhile, so what they had stays.
    """
    before, known = views.others(), set(sys.modules)
    path = sys.path  # others may put a copy in its place meanwhile
    path[:0] = map(str, sites)
    importlib.invalidate_caches()
    try:
        with pytest.MonkeyPatch.context() as patched:
            found = view.installed(set(views.names()) - set(before.views))
            patched.setattr(views, "others", lambda: found)
            yield
    finally:
        for site in sites:
            path.remove(str(site))
        homes = tuple(map(str, sites))
        for name in set(sys.modules) - known:
            if (getattr(sys.modules[name], "__file__", None) or "").startswith(homes):
                del sys.modules[name]
        importlib.invalidate_caches()
