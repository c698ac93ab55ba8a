"""Who may see what views of other packages have: developers all, viewers what is public."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Path

from consumers import views
from consumers.api.permissions import Asking
from consumers.api.problems import Problem
from consumers.api.tokens import Caller
from synapse_stream.events.plain import describe


def may_see(name: str, caller: Caller) -> bool:
    """Tell whether a caller may see a view of another package: viewers may if it is public."""
    return caller.is_developer or views.find(name).is_public


def of_caller(
    view: Annotated[str, Path(description="Name of a view of another package.", max_length=60)],
    caller: Asking,
) -> str:
    """Return the name of a view that the caller may see.

    Raises:
        Problem: there is none, or it is for developers.
    """
    if view not in views.installed():
        there = [name for name in views.installed() if may_see(name, caller)]
        fault = views.faults().get(view) if caller.is_developer else None
        detail = fault or f"there is no view {describe(view)} of another package"
        raise Problem(HTTPStatus.NOT_FOUND, detail, allowed={"view": there})
    if not may_see(view, caller):
        detail = f"the view {view} is for developers, and {caller.name} is a {caller.role}"
        raise Problem(HTTPStatus.FORBIDDEN, detail)
    return view


VisibleView = Annotated[str, Depends(of_caller)]
