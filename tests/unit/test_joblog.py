from __future__ import annotations

from enum import Enum, StrEnum
from typing import Any

import pytest

from synapse_stream.events import joblog
from synapse_stream.events.codes import register_log_messages


class Level(str, Enum):  # noqa: UP042 - as the SDK's, of another class than ours
    INFO = "info"
    DANGER = "danger"
    LOUD = "loud"


class Code(StrEnum):
    FILES = "JOBLOG_FILES"


LANGUAGES = {"en": "{n} files", "ko": "파일 {n}개"}
register_log_messages({Code.FILES: LANGUAGES})


@pytest.mark.parametrize(
    ("entry", "made"),
    [
        (
            ("message", Level.DANGER, {"content": "broken"}),
            ("message", {"content": "broken", "level": "danger"}),
        ),
        (
            ("message", Level.INFO, {"content": 5, "key": "CODE", "more": [1]}),
            ("message", {"content": "5", "level": "info", "key": "CODE", "params": {"more": [1]}}),
        ),
        (("message", Level.INFO, {"text": "x"}), ("log", {"data": {"text": "x"}})),
        (("debug", Level.INFO, {"content": "why"}), ("dev_event", {"message": "why"})),
        (
            ("dev_event", Level.INFO, {"message": "cache", "data": {"hits": 1}}),
            ("dev_event", {"message": "cache", "data": {"hits": 1}}),
        ),
        (
            ("dev_event", Level.INFO, {"message": "cold", "data": None}),
            ("dev_event", {"message": "cold"}),
        ),
        (("saved", Level.LOUD, {"epoch": 5}), ("log", {"data": {"epoch": 5}, "level": "info"})),
        (("saved", "warning", {}), ("log", {"event": "saved", "level": "warning"})),
        ((7, None, {}), ("log", {"event": "7", "level": "info"})),
    ],
)
def test_an_entry_is_the_event_that_its_name_and_data_say(
    entry: tuple[Any, ...], made: tuple[str, dict[str, Any]]
) -> None:
    kind, step, fields = joblog.event_of(*entry)

    assert kind == made[0]
    assert step is None
    assert made[1].items() <= fields.items()


def test_step_and_file_are_kept_and_empty_ones_are_none() -> None:
    assert joblog.event_of("saved", "info", {}, "/m.pt", 3)[1:] == (
        "3",
        {"event": "saved", "data": {}, "level": "info", "file": "/m.pt"},
    )
    assert joblog.event_of("saved", "info", {}, "", "")[1:] == (
        None,
        {"event": "saved", "data": {}, "level": "info"},
    )


@pytest.mark.parametrize(
    ("key", "metrics", "x"),
    [
        ("epoch", {"loss": 0.5}, {"x": 3}),
        ("global_step", {"loss": 0.5}, {"x": 3}),
        ("epoch", {}, {}),
        ("loss", {"accuracy": 0.5}, {}),
    ],
)
def test_a_metric_has_its_category_as_step_and_an_epoch_as_its_place(
    key: str, metrics: dict[str, float], x: dict[str, int]
) -> None:
    data = {"category": "val", "key": key, "value": 3, "metrics": metrics, "trial_id": "7c_00001"}

    assert joblog.event_of("metric", "info", data, step="train") == (
        "metrics",
        "val",
        {"value": {key: 3, **metrics}, **x},
    )


class Localized:
    translations = LANGUAGES


@pytest.mark.parametrize(
    ("message", "template"),
    [
        ("hello", None),
        (LANGUAGES, LANGUAGES),
        ({"en": "hello", "ko": None, 5: "x"}, {"en": "hello"}),
        (Localized(), LANGUAGES),
        (Code.FILES, LANGUAGES),
        (None, None),
        (5, None),
    ],
)
def test_a_message_has_the_templates_that_it_was_made_of(message: Any, template: Any) -> None:
    templates = joblog.templates_in(message)
    assert (templates or None) == template

    data = {"content": "2 files", "key": "FILES"}
    _, _, fields = joblog.event_of("message", "info", data, source=(templates, {"n": 2}))
    assert (fields.get("template"), fields["params"]) == (template, {"n": 2})


def test_data_may_bring_what_it_was_made_of() -> None:
    data = joblog.Said({"content": "2 files"})
    data.source = (LANGUAGES, {"n": 2})

    assert data == {"content": "2 files"}
    assert joblog.event_of("message", "info", data)[2] == {
        "content": "2 files", "level": "info", "template": LANGUAGES, "params": {"n": 2},
    }  # fmt: skip


def test_trials_are_a_table_as_it_was_given_or_of_the_parts() -> None:
    assert joblog.trials_of({"trials": {}}, {"base": None}) == {"trials": {}}
    assert joblog.trials_of(None, {"trials": {"t": {}}, "base": None}) == {
        "base": [], "trials": {"t": {}}, "hyperparameters": [], "metrics": [], "best_trial": "",
    }  # fmt: skip
