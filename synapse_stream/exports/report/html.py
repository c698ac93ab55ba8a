"""One file of many: the page's modules and styles, and data, in the page's frame. Pure.

A module that stands in a file cannot import its neighbours by their paths, so each gets a name, and
an import map says where it is: in a `data:` address.
"""

from __future__ import annotations

import re
from base64 import b64encode
from html import escape
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

FRAME = "static/frozen.html"

_START = "static/js/frozen/app.js"
_INSTEAD = {
    f"static/js/server/{name}.js": f"static/js/frozen/{name}.js"
    for name in ("clock", "link", "request")
}
"""Modules that speak to the API, and those that read the file."""
_STYLES = (
    *(f"static/css/{name}.css" for name in ("base", "components", "job", "feed")),
    "static/vendor/uPlot.min.css",
    "static/css/charts.css",
    "static/css/frozen.css",
)
_IMPORT = re.compile(r"""(\bfrom\s*|\bimport\s*\(?\s*)"(\.{1,2}/[^"]+)\"""")
_PLACE = re.compile(r"\{([a-z]+)\}")


class Said(NamedTuple):
    """What a report says besides what the page does."""

    title: str
    made: str
    verdict: str
    remarks: str


def write_report(read: Callable[[str], str], said: Said, frozen: dict[str, Any]) -> str:
    """Return the report: HTML that needs nothing else, and asks for nothing.

    Args:
        read: returns the text of a file of the page.
        said: texts.
        frozen: what `Site.run` returns.
    """
    modules = {f"page/{path}": _address(text) for path, text in _modules(read).items()}
    parts = {
        **{name: escape(text) for name, text in said._asdict().items()},
        "styles": "\n".join(read(path) for path in _STYLES),
        "modules": _json({"imports": modules}),
        "frozen": _json(frozen),
        "start": f"page/{_START}",
    }
    return _PLACE.sub(lambda found: parts[found[1]], read(FRAME))


def _modules(read: Callable[[str], str]) -> dict[str, str]:
    """Return the modules that the first one needs, by path, importing each other by name."""
    found: dict[str, str] = {}
    waiting = [_START]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue

        def named(match: re.Match[str], folder: str = dirname(path)) -> str:
            wanted = normpath(join(folder, match[2]))
            wanted = _INSTEAD.get(wanted, wanted)
            waiting.append(wanted)
            return f'{match[1]}"page/{wanted}"'

        found[path] = _IMPORT.sub(named, read(path))
    return found


def _address(module: str) -> str:
    return f"data:text/javascript;base64,{b64encode(module.encode()).decode()}"


def _json(value: Any) -> str:
    """Return JSON that can stand in a script: nothing in it ends the element."""
    return orjson.dumps(value).decode().replace("<", "\\u003c")
