"""Lines as earlier releases wrote them: added, never edited, and every one must still decode.

A file is named after type and version; what its line has besides may follow: `end.v1.children`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from synapse_stream.events.types import EVENT_TYPES, dump, parse

FIXTURES = sorted(Path(__file__).parent.glob("*.jsonl"))


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_a_golden_line_decodes_and_is_written_again_byte_for_byte(path: Path) -> None:
    kind, version, *_ = path.name.split(".")
    line = path.read_bytes().rstrip(b"\n")

    event = parse(line)

    assert type(event) is EVENT_TYPES[kind]
    assert f"v{event.v}" == version
    assert event.model_extra == {}
    assert dump(event) == line


def test_every_type_and_version_has_a_golden_line() -> None:
    written = {f"{kind}.v{model.model_fields['v'].default}" for kind, model in EVENT_TYPES.items()}
    assert written <= {path.stem for path in FIXTURES}
