from __future__ import annotations

import re
from collections import UserDict
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import inf, isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synapse_stream.events import rules
from synapse_stream.models import LogLevel, RunStatus


class Code(StrEnum):
    DONE = "Done in {seconds} s"


class Scalar:
    """What of a PyTorch scalar is used."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def item(self) -> Any:
        return self.value

    def __repr__(self) -> str:
        return f"Scalar({self.value!r})"


class Mute:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __float__(self) -> float:
        raise RuntimeError("no float")


def test_metrics_are_copied() -> None:
    given = {"loss": 0.5, "count": 3}
    fields = rules.metrics(given)
    given.clear()
    assert fields == {"values": {"loss": 0.5, "count": 3}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1),
        (True, 1),
        (np.float32(0.5), 0.5),
        (np.float64(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(False), 0),
        (np.array([0.25]), 0.25),
        (np.array(4), 4),
        (np.longdouble(0.5), 0.5),
        (Scalar(0.5), 0.5),
        (Scalar(True), 1),
        (Decimal("0.5"), 0.5),
        (Fraction(1, 4), 0.25),
        (Fraction(10**400), inf),
        (np.ma.array([0.5], mask=[False]), 0.5),
        (inf, inf),
    ],
)
def test_scalars_of_every_kind_are_numbers(value: Any, expected: float) -> None:
    fields = rules.metrics({"m": value}, x=value)
    assert fields == {"values": {"m": expected}, "x": expected}
    assert type(fields["values"]["m"]) is type(fields["x"]) is type(expected)


def test_nan_is_a_metric() -> None:
    hidden = np.ma.array([0.5], mask=[True])
    values = {"a": nan, "b": np.float32("nan"), "c": Decimal("nan")}
    fields = rules.metrics({**values, "d": np.ma.masked, "e": hidden, "f": hidden[0]}, x=nan)
    assert all(isnan(value) for value in (*fields["values"].values(), fields["x"]))


@pytest.mark.parametrize(
    "value",
    [
        "0.5", None, 1j, np.complex64(1), [0.5], np.array([1.0, 2.0]), np.array([]), {}, b"1",
        object(), np.str_("1"), timedelta(1), np.timedelta64(5, "ns"), np.datetime64(5, "ns"),
        Scalar("1"), Mute(),
    ],
)  # fmt: skip
def test_a_metric_that_is_no_number_is_a_type_error_naming_the_key(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^value\['bad'\] must be a number, not .*\(\w+\)$"):
        rules.metrics({"good": 1.0, "bad": value})
    if value is not None:
        with pytest.raises(TypeError, match=r"^x must be a number, not .*\(\w+\)$"):
            rules.metrics({"good": 1.0}, x=value)


@pytest.mark.parametrize("value", [None, 1.0, "loss", [("loss", 1.0)], {"loss"}])
def test_metrics_that_are_no_mapping_are_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError, match=re.escape(f"not {value!r} ({type(value).__name__})")):
        rules.metrics(value)


@pytest.mark.parametrize("name", [1, None, b"loss", ("a",)])
def test_a_metric_name_that_is_no_text_is_a_type_error(name: Any) -> None:
    with pytest.raises(TypeError, match=re.escape(f"must be a text, not {name!r}")):
        rules.metrics({"good": 1.0, name: 1.0})


def test_any_mapping_of_metrics_will_do() -> None:
    assert rules.metrics(UserDict(loss=1)) == {"values": {"loss": 1}}
    assert rules.metrics({}) == {"values": {}}


def test_long_names_are_shortened_and_stay_different() -> None:
    names = ["n" * 512, "n" * 513, "n" * 514, "n" * 1000 + "\ud800"]
    values = rules.metrics(dict.fromkeys(names, 1.0))["values"]
    short = [rules.step_name(name) for name in names]
    assert list(values) == short
    assert short[0] == names[0]
    assert len(set(short)) == 4
    assert all(name is not None and len(name) <= 512 for name in short)


@pytest.mark.parametrize(
    ("current", "total", "expected"),
    [
        (0, 1, (0, 1)),
        (5, 5, (5, 5)),
        (0.5, 1, (0.5, 1)),
        (np.int64(1), np.float32(2), (1, 2.0)),
        (Scalar(1), Decimal(4), (1, 4.0)),
        (1, 2**53 + 1, (1, 2.0**53)),
    ],
)
def test_progress_takes_numbers_in_range(
    current: Any, total: Any, expected: tuple[float, float]
) -> None:
    fields = rules.progress(current, total)
    assert (fields["current"], fields["total"]) == expected
    assert {type(number) for number in fields.values()} <= {int, float}


@pytest.mark.parametrize(
    ("current", "total"),
    [
        (-1, 5), (6, 5), (0, 0), (0, -1), (-2, -1), (nan, 5), (1, nan), (nan, nan), (1, inf),
        (inf, inf), (-0.5, 1.0), (1, 10**400), (np.float32("nan"), 1),
    ],
)  # fmt: skip
def test_progress_out_of_range_is_a_value_error_naming_both_numbers(
    current: Any, total: Any
) -> None:
    named = re.escape(f"current={current!r}, total={total!r}")
    with pytest.raises(ValueError, match=f"{named}.*total > 0 and 0 <= current <= total"):
        rules.progress(current, total)


@pytest.mark.parametrize(("current", "total", "name"), [("1", 5, "current"), (1, None, "total")])
def test_progress_of_what_is_no_number_is_a_type_error(current: Any, total: Any, name: str) -> None:
    with pytest.raises(TypeError, match=f"^{name} must be a number, not"):
        rules.progress(current, total)


@pytest.mark.parametrize(
    ("error", "expected"),
    [("text", "text"), (ValueError("bad"), "ValueError: bad"), (5, "5"), (Mute(), "<unrep")],
)
def test_any_error_becomes_text(error: Any, expected: str) -> None:
    assert rules.progress_failed(error)["error"].startswith(expected)
    assert rules.end("failed", error)["error"].startswith(expected)


def test_a_failed_step_needs_no_error() -> None:
    assert rules.progress_failed() == {"failed": True}


def test_a_message_is_kept_as_it_is_without_params() -> None:
    assert rules.message("100 % of {this}", "info", {}) == {
        "content": "100 % of {this}", "level": "info"
    }  # fmt: skip


def test_params_fill_a_message_and_are_kept() -> None:
    assert rules.message("{n} files", "success", {"n": 5}) == {
        "content": "5 files", "level": "success", "params": {"n": 5}
    }  # fmt: skip


@pytest.mark.parametrize("template", ["{missing}", "{0}", "{n!z}", "{n:bad}", "{", "{n.real.x}"])
def test_a_template_that_cannot_be_filled_is_shown_as_it_is(template: str) -> None:
    assert rules.message(template, "info", {"n": 5})["content"] == template


def test_english_is_rendered_and_all_languages_are_kept() -> None:
    templates = {"ko": "{n}개", "en": "{n} files"}
    assert rules.message(templates, "info", {"n": 5}) == {
        "content": "5 files", "level": "info", "template": templates, "params": {"n": 5}
    }  # fmt: skip


def test_without_english_the_first_language_is_rendered() -> None:
    assert rules.message({"ko": "{n}개", "ja": "{n}個"}, "info", {"n": 5})["content"] == "5개"


def test_a_message_code_is_kept_as_key() -> None:
    fields = rules.message(Code.DONE, "success", {"seconds": 3})
    assert fields["key"] == "Done in {seconds} s"
    assert fields["content"] == "Done in 3 s"


@pytest.mark.parametrize("message", [None, 5, b"x", ["x"], {}, {"en": 5}, {5: "x"}])
def test_a_message_of_another_kind_is_a_type_error(message: Any) -> None:
    with pytest.raises(
        TypeError, match=re.escape(repr(message)) if not message else "message must"
    ):
        rules.message(message, "info", {})


@pytest.mark.parametrize("context", [*map(str, LogLevel), *LogLevel])
def test_contexts_are_the_log_levels(context: Any) -> None:
    assert rules.message("m", context, {})["level"] == str(context)


@pytest.mark.parametrize("context", ["loud", "INFO", "", None, 5, [], np.array([1, 2])])
def test_another_context_is_a_value_error_listing_the_allowed(context: Any) -> None:
    with pytest.raises(
        ValueError, match=r"^context=.*one of debug, info, success, warning, danger"
    ):
        rules.message("m", context, {})


def test_dev_events_take_everything() -> None:
    assert rules.dev_event("m") == {"message": "m"}
    assert rules.dev_event(5, 0) == {"message": "5", "data": 0}
    assert rules.dev_event(Mute(), {}) == {"message": "<unrepresentable Mute>", "data": {}}


@pytest.mark.parametrize("file", ["/d/m.pt", Path("/d/m.pt")])
def test_a_log_entry_may_have_a_file(file: Any) -> None:
    assert rules.log("saved", {"epoch": 5}, file) == {
        "event": "saved", "data": {"epoch": 5}, "level": "info", "file": "/d/m.pt"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((5, {}), "event must be a text, not 5 (int)"),
        ((None, {}), "event must be a text, not None"),
        (("e", None), "data of event 'e' must be a mapping, not None"),
        (("e", [1]), "data of event 'e' must be a mapping, not [1] (list)"),
        (("e", "d"), "data of event 'e' must be a mapping, not 'd' (str)"),
        (("e", {}, 5), "file of event 'e' must be a path or None, not 5 (int)"),
    ],
)
def test_wrong_arguments_of_log_are_type_errors(arguments: tuple[Any, ...], named: str) -> None:
    with pytest.raises(TypeError, match=re.escape(named)):
        rules.log(*arguments)


@pytest.mark.parametrize("level", ["loud", None, 20])
def test_another_log_level_is_a_value_error_listing_the_allowed(level: Any) -> None:
    with pytest.raises(
        ValueError, match=r"^level=.*debug, info, success, warning, danger, error, c"
    ):
        rules.log("e", {}, None, level)


@pytest.mark.parametrize("status", [RunStatus.COMPLETED, "failed", "cancelled"])
def test_a_run_ends_completed_failed_or_cancelled(status: Any) -> None:
    assert rules.end(status, None, {"a": 1}) == {"status": str(status), "result": {"a": 1}}


@pytest.mark.parametrize("status", ["done", None, RunStatus.RUNNING, "pending", 0])
def test_another_status_is_a_value_error_listing_the_allowed(status: Any) -> None:
    with pytest.raises(ValueError, match=r"^status=.*one of completed, failed, cancelled$"):
        rules.end(status)


def test_a_step_is_a_text_or_none() -> None:
    assert rules.step_name(None) is None
    assert rules.step_name("training") == "training"
    with pytest.raises(TypeError, match=re.escape("step must be a text or None, not 5 (int)")):
        rules.step_name(5)
