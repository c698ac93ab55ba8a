"""The page's modules: which folder may import which, no circle, one style."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from pathlib import Path

JS = Path(__file__).parents[2] / "consumers/api/page/static/js"
MODULES = {str(path.relative_to(JS)): path.read_text() for path in sorted(JS.rglob("*.js"))}
_IMPORT = re.compile(r"""(?:\bfrom|\bimport\(?|new URL\()\s*"([^"]+\.js)\"""")

ALLOWED = {
    "lib": set[str](),
    "server": set[str](),
    "charts": {"lib", "server"},
    "feed": {"lib", "server"},
    "jobs": {"lib", "server"},
    "compare": {"lib", "server", "charts"},
    "job": {"lib", "server", "charts", "feed"},
    "frozen": {"lib", "job"},
    "trail": {"lib", "server"},
    ".": {"lib", "server", "jobs", "job", "compare", "trail"},
}
"""Of each folder those that it may import, besides itself; `.` is where the page begins."""


def imported(module: str) -> set[str]:
    """Return what a module imports of ours, as it stands in MODULES."""
    home = (JS / module).parent
    paths = (Path(home / name).resolve() for name in _IMPORT.findall(MODULES[module]))
    return {str(path.relative_to(JS)) for path in paths if JS in path.parents}


def test_folders_import_what_they_may() -> None:
    found = {
        (str(Path(module).parent), str(Path(other).parent)): module
        for module in MODULES
        for other in imported(module)
    }
    strays = {
        (folder, other): module
        for (folder, other), module in found.items()
        if other != folder and other not in ALLOWED[folder]
    }
    assert strays == {}
    assert {(a, b) for a in ALLOWED for b in ALLOWED[a]} <= found.keys(), "an arrow nobody needs"


def test_no_module_imports_itself_by_way_of_others() -> None:
    order = TopologicalSorter({module: imported(module) for module in MODULES}).static_order()
    assert set(order) == MODULES.keys()


def test_modules_are_short_and_of_one_style() -> None:
    wide = [
        f"{module}:{number}"
        for module, text in MODULES.items()
        for number, line in enumerate(text.splitlines(), 1)
        if len(line) > 120
    ]
    assert wide == []
    assert [module for module, text in MODULES.items() if text.count("\n") > 300] == []
    assert [module for module, text in MODULES.items() if re.search(r"\bthis\._", text)] == []
    assert [module for module, text in MODULES.items() if not text.startswith("/**")] == []
