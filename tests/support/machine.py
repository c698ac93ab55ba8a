"""What a machine may lack for a test: it is named with the command that installs it."""

from __future__ import annotations

import os
from typing import NoReturn, TypeVar

import pytest

Found = TypeVar("Found")


def needed(found: Found | None, lacking: str) -> Found:
    """Return `found`; without it end the test as `end_lacking` does."""
    return end_lacking(lacking) if found is None else found


def end_lacking(lacking: str) -> NoReturn:
    """Skip the running test, saying what is lacking; fail it under CI=true, where nothing may be.

    Args:
        lacking: one line: what, and the command that installs it.
    """
    if os.environ.get("CI") == "true":
        pytest.fail(lacking, pytrace=False)
    pytest.skip(lacking)
