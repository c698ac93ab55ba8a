"""The views of other packages, each as one thing, and why some of them cannot be had."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, NamedTuple

from consumers.store.table import Table
from consumers.views.of_packages.guarded import guarded
from consumers.views.of_packages.table import DeclaredTable
from consumers.views.port import View
from synapse_stream.ports.job_view import GROUP, JobView

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from importlib.metadata import EntryPoint

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 40  # tables are named after it
_OTHERS = frozenset({"all", "api", "server", "trimming"})
_GENERATIONS = ("-old", "-new")


class Installed(NamedTuple):
    """The views of other packages."""

    views: Mapping[str, View]
    faults: Mapping[str, str]
    """Why one is left out, by its name. Of two packages that name one, neither is taken: which of
    them a consumer has must not depend on what else is on its machine."""


def installed(taken: Collection[str]) -> Installed:
    """Load the views that entry points name; `taken` are the names of ours."""
    views: dict[str, View] = {}
    faults: dict[str, str] = {}
    by_name: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        by_name.setdefault(point.name, []).append(point)
    for name, points in sorted(by_name.items()):
        whose = " and ".join(sorted(_package(point) for point in points))
        try:
            _check_name(name, taken)
            if len(points) > 1:
                msg = "both have one of this name; remove a package, or rename its view"
                raise TypeError(msg)  # noqa: TRY301 - told as any other fault
            views[name] = view_of(_load(points[0]))
        except TypeError as error:
            faults[name] = f"the view {name!r} of {whose} is left out: {error}"
    return Installed(views, faults)


def view_of(theirs: type[JobView]) -> View:
    """Return the view of these rules.

    Raises:
        TypeError: its row is not as it must be.
    """
    rules = guarded(theirs)
    table = DeclaredTable(rules.name, rules.columns) if rules.columns else Table()
    return View(rules, table, is_installed=True, is_public=theirs.is_public, events_a_turn=5_000)


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "a package"


def _check_name(name: str, taken: Collection[str]) -> None:
    if name in taken or name in _OTHERS or name.endswith(_GENERATIONS):
        msg = "the name is taken by Synapse Stream itself; rename the view"
        raise TypeError(msg)
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        msg = f"a name is lower-case words joined by hyphens, at most {_LONGEST} letters in all"
        raise TypeError(msg)


def _load(point: EntryPoint) -> type[JobView]:
    try:
        found = point.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        msg = f"{point.value} cannot be loaded: {type(error).__name__}: {error}"
        raise TypeError(msg) from error
    if not isinstance(found, type) or not issubclass(found, JobView):
        msg = f"{point.value} is no class that inherits from synapse_stream.JobView"
        raise TypeError(msg)
    if lacking := sorted(getattr(found, "__abstractmethods__", ())):
        msg = f"{point.value} lacks {' and '.join(lacking)}"
        raise TypeError(msg)
    if getattr(found, "name", None) != point.name:
        msg = f"{point.value}.name={getattr(found, 'name', None)!r}; expected {point.name!r}"
        raise TypeError(msg)
    if type(getattr(found, "version", None)) is not int or found.version < 1:
        shown = getattr(found, "version", None)
        msg = f"{point.value}.version={shown!r}; expected an int from 1 on"
        raise TypeError(msg)
    return found
