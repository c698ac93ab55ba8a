"""The option of commands whose acts are written to the operators' trail."""

from __future__ import annotations

from typing import Annotated

import typer

Reason = Annotated[
    str | None, typer.Option("--reason", help="Why, for the operators' trail; see `trail`.")
]
