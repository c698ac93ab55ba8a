from __future__ import annotations

import subprocess
import sys

import pytest

import synapse_stream
from synapse_stream import Settings


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
    loaded = loaded_by("from synapse_stream import RuntimeContext, Settings, open_run")

    assert (
        loaded & {"redis", "pydantic", "orjson", "rich", "asyncio", "synapse_stream.events.types"}
        == set()
    )


def test_a_run_loads_neither_pydantic_nor_what_only_readers_need(settings: Settings) -> None:
    """Its class of settings is a plain one for that reason."""
    program = (
        "from synapse_stream import Settings, open_run\n"
        f"with open_run('job-1', settings=Settings(redis_url={settings.redis_url!r}, "
        f"namespace={settings.namespace!r}, data_dir={str(settings.data_dir)!r})) as run:\n"
        "    run.set_metrics({'loss': 1.0})"
    )
    loaded = loaded_by(program)

    assert "redis" in loaded
    assert (
        loaded
        & {"pydantic", "rich", "synapse_stream.events.types", "synapse_stream.reading.stream"}
        == set()
    )


def test_what_is_recorded_is_stored_audited_and_exported_without_a_client_of_redis() -> None:
    """The values of the log are in a room of their own; what opens a log is not asked here."""
    loaded = loaded_by(
        "import consumers.audit.archived, consumers.audit.record, consumers.audit.refold\n"
        "import consumers.store.store\n"
        "import consumers.views.archive.fold, consumers.views.archive.reader\n"
        "import synapse_stream.exports.copies, synapse_stream.exports.exact\n"
    )

    assert "synapse_stream.entries.batch" in loaded
    assert "redis" not in loaded


@pytest.mark.parametrize("name", synapse_stream.__all__)
def test_every_public_name_is_there_and_listed(name: str) -> None:
    assert getattr(synapse_stream, name) is not None
    assert name in dir(synapse_stream)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'synapse_stream' has no attribute 'nothing'"):
        synapse_stream.nothing  # noqa: B018
