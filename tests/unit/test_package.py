from __future__ import annotations

import subprocess
import sys

import pytest

import synapse_stream


def loaded_by(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after `code`."""
    shown = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(shown.stdout.split())


def test_the_bare_import_loads_nothing_else_of_ours_nor_of_others() -> None:
    loaded = loaded_by("import synapse_stream")

    assert {name for name in loaded if name.startswith("synapse_stream")} == {"synapse_stream"}
    assert loaded & {"redis", "rich", "pydantic", "orjson", "zstandard"} == set()


def test_a_context_is_imported_without_server_client_terminal_and_readers() -> None:
    loaded = loaded_by("from synapse_stream import BaseAction, Pipeline, RuntimeContext, open_run")

    assert "pydantic" in loaded
    assert loaded & {"redis", "rich", "asyncio", "synapse_stream.events"} == set()


@pytest.mark.parametrize("name", synapse_stream.__all__)
def test_every_public_name_is_there_and_listed(name: str) -> None:
    assert getattr(synapse_stream, name) is not None
    assert name in dir(synapse_stream)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'synapse_stream' has no attribute 'nothing'"):
        synapse_stream.nothing  # noqa: B018
