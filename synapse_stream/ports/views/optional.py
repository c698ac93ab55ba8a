"""Packages that only some readers need."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def require(package: str, extra: str = "notebook") -> Any:
    """Import a package of an extra.

    Raises:
        ModuleNotFoundError: it is not installed; the message says what to install.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        msg = f"{package} is not installed; pip install 'synapse-stream[{extra}]' brings it"
        raise ModuleNotFoundError(msg, name=package) from None
