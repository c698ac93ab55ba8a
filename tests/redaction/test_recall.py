"""How many secrets of which class are found in which field, over a corpus of our own."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from synapse_stream.errors import ConfigError
from synapse_stream.events.encoding import encode
from synapse_stream.redaction import redact, redact_body, redact_text
from synapse_stream.redaction.body import compiled
from synapse_stream.settings import Settings
from tests.redaction.corpus import (
    HARMLESS_NAMES,
    KNOWN,
    NAMED,
    harmless_lines,
    secret_part,
    surrounded,
)  # fmt: skip

if TYPE_CHECKING:
    from pathlib import Path

SEED = 20_251_129
EACH = 40
LEAST_RECALL = 0.95
MOST_FALSE_ALARMS = 0.02

Fields = Callable[[str], tuple[str, str | None, dict[str, Any]]]


def _message(**fields: Any) -> tuple[str, str | None, dict[str, Any]]:
    return "message", None, {"content": "", "level": "info", **fields}


def _dev_event(**fields: Any) -> tuple[str, str | None, dict[str, Any]]:
    return "dev_event", None, {"message": "", **fields}


def _log(**fields: Any) -> tuple[str, str | None, dict[str, Any]]:
    return "log", None, {"event": "e", "data": {}, "level": "info", **fields}


def _start(**fields: Any) -> tuple[str, str | None, dict[str, Any]]:
    return "run_started", None, {"host": "h", "pid": 1, "rank": 0, **redact(fields)}


FIELDS: dict[str, Fields] = {
    "message content": lambda s: _message(content=s),
    "message template": lambda s: _message(template={"ko": s}),
    "message params": lambda s: _message(params={"value": s}),
    "message key": lambda s: _message(key=s),
    "dev event message": lambda s: _dev_event(message=s),
    "dev event data": lambda s: _dev_event(data=[1, {"deep": [s]}]),
    "dev event name": lambda s: _dev_event(data={s: 1}),
    "log event": lambda s: _log(event=s),
    "log data": lambda s: _log(data={"x": {"y": s}}),
    "log file": lambda s: _log(file=s),
    "step": lambda s: ("message", s, {"content": "x", "level": "info"}),
    "step error": lambda s: ("progress", "train", {"failed": True, "error": s}),
    "action name": lambda s: ("action", None, {"name": s, "status": "running"}),
    "action error": lambda s: ("action", None, {"name": "a", "status": "failed", "error": s}),
    "run error": lambda s: ("end", None, {"status": "failed", "error": f"E: {s}\n\nTrace\n  {s}"}),
    "run result": lambda s: ("end", None, {"status": "completed", "result": {"value": [s]}}),
    "params": lambda s: _start(params={"value": s}),
    "labels": lambda s: _start(labels={s: s}),
}
"""Where a secret may come; each is one of the fields of an event."""


def recorded(field: str, text: str) -> str:
    kind, step, fields = FIELDS[field](text)
    return "".join(
        orjson.dumps(orjson.loads(b"{" + redact_body(body))).decode()
        for body in encode(kind, step, fields)
    )


@pytest.mark.parametrize("field", FIELDS)
def test_keys_of_known_forms_are_masked_in_every_field(field: str) -> None:
    chance = Random(f"{SEED} {field}")
    recall = {}
    for name, make in KNOWN.items():
        found = 0
        for _ in range(EACH):
            secret = make(chance)
            found += secret_part(secret) not in recorded(field, surrounded(secret, chance))
        recall[name] = found / EACH

    assert {name: share for name, share in recall.items() if share < LEAST_RECALL} == {}


@pytest.mark.parametrize("name", NAMED)
def test_what_a_name_tells_is_masked_in_a_text(name: str) -> None:
    chance = Random(f"{SEED} {name}")
    leaks = []
    for _ in range(EACH):
        text = NAMED[name](chance)
        shown = recorded("message content", text)
        leaks += [text] if _tail(text) in shown else []

    assert leaks == []


def test_few_harmless_lines_and_no_harmless_names_are_masked() -> None:
    lines = harmless_lines(Random(SEED), 500)
    masked = [line for line in lines if redact_text(line) != line]
    names = [
        name for name, value in HARMLESS_NAMES.items() if redact({name: value}) != {name: value}
    ]

    assert len(masked) <= MOST_FALSE_ALARMS * len(lines), masked
    assert names == []


def test_a_key_that_is_cut_in_two_leaves_no_half() -> None:
    chance = Random(SEED)
    key = KNOWN["github fine"](chance)
    half = 128 * 1024
    for shift in range(-60, 61, 20):
        text = "x " * ((half - 700 + shift) // 2) + key + " y" * 200_000
        for kind, fields in (
            ("message", {"content": text, "level": "info"}),
            ("dev_event", {"message": "", "data": [text]}),
            ("dev_event", {"message": "", "data": ["a " * 200_000, text[::-1] + "\n" + key]}),
        ):
            (body,) = encode(kind, None, fields)
            shown = redact_body(body).decode()
            assert all(key[at : at + 16] not in shown for at in range(len(key) - 16))


def test_own_rules_mask_what_they_match() -> None:
    settings = Settings.load({"SYNAPSE_STREAM_REDACT_RULES": '["KIM-\\\\d{4}"]'})
    (body,) = encode("message", None, {"content": "badge KIM-1234", "level": "info"})

    assert b"badge ***" in redact_body(body, compiled(settings.redact_rules))
    assert redact_body(body) == body


def test_own_rules_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "rules"
    file.write_text("# badges\nKIM-\\d{4}\n\n")

    assert [rule.pattern for rule in compiled(f"@{file}")] == ["KIM-\\d{4}"]


@pytest.mark.parametrize("rules", ['["("]', '["a*"]', "KIM", '{"a": 1}', "[1]", "@/none/such"])
def test_rules_that_cannot_serve_are_a_wrong_setting(rules: str) -> None:
    with pytest.raises(ConfigError, match="SYNAPSE_STREAM_REDACT_RULES"):
        Settings.load({"SYNAPSE_STREAM_REDACT_RULES": rules})


def test_what_cannot_be_looked_through_is_not_let_through() -> None:
    (body,) = encode("log", None, {"event": "token", "data": {"a": 1}, "level": "info"})

    shown = redact_body(body.replace(b'{"a":1}', b'{"a":hunter2'))

    assert b"hunter2" not in shown
    assert b'"message":"log: ***"' in shown


def _tail(text: str) -> str:
    """The secret of a line: its longest word behind the telling name."""
    words = text.replace("=", " ").replace(":", " ").replace(";", " ").split()
    stripped = [word.strip("\"'(){},") for word in words]
    return max(stripped, key=lambda word: (any(c.isdigit() for c in word), len(word)))
