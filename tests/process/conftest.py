from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.leaving import Leaving

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_stream.settings import Settings


@pytest.fixture
def run(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Leaving:
    """Run a script that reports to job-1, and see how it left its run."""
    directory: Path = tmp_path_factory.mktemp("plugin")
    return Leaving(settings, directory)
