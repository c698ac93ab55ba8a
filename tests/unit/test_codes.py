from __future__ import annotations

import sys
from enum import StrEnum
from types import SimpleNamespace
from typing import Any

import pytest

from synapse_stream.events import rules
from synapse_stream.events.codes import templates_of
from synapse_stream.plugins.log_messages import (
    CommonLogMessageCode,
    LogMessageCode,
    register_log_messages,
    resolve_log_message,
)
from synapse_stream.plugins.models.logger import LogLevel


class Code(LogMessageCode):
    UPLOADED = ("CODES_UPLOADED", LogLevel.SUCCESS)
    BARE = "CODES_BARE"
    BROKEN = "CODES_BROKEN"


class Foreign(StrEnum):
    DONE = "CODES_DONE"


register_log_messages(
    {Code.UPLOADED: {"en": "{n} files", "ko": "파일 {n}개"}, Foreign.DONE: "Done in {seconds} s"}
)


def message(code: Any, context: str = "info", language: str | None = None, **params: Any) -> Any:
    return rules.message(code, context, params, language)


def test_a_code_brings_level_templates_and_its_key() -> None:
    assert message(Code.UPLOADED, "danger", n=2) == {
        "content": "2 files",
        "level": "success",
        "key": "CODES_UPLOADED",
        "template": {"en": "{n} files", "ko": "파일 {n}개"},
        "params": {"n": 2},
    }
    assert message(Code.UPLOADED, language="ko", n=2)["content"] == "파일 2개"
    assert message(Code.UPLOADED, language="de", n=2)["content"] == "2 files"


def test_a_code_without_templates_or_level_is_shown_as_its_text() -> None:
    assert message(Code.BARE) == {"content": "CODES_BARE", "level": "info", "key": "CODES_BARE"}
    assert message(Foreign.DONE, "warning", seconds=3)["level"] == "warning"
    assert message(Foreign.DONE, seconds=3)["content"] == "Done in 3 s"


def test_a_message_that_holds_its_translations_is_one_of_several_languages() -> None:
    localized = SimpleNamespace(translations={"en": "{n} files", "ko": "파일 {n}개"})

    assert message(localized, n=2)["content"] == "2 files"
    assert message(localized, language="ko", n=2)["content"] == "파일 2개"


def test_codes_are_resolved_as_in_the_sdk() -> None:
    assert resolve_log_message(Code.UPLOADED, "ko", n=2) == ("파일 2개", LogLevel.SUCCESS)
    assert resolve_log_message(CommonLogMessageCode.PLUGIN_RUN_COMPLETE) == (
        "Plugin run is complete.",
        LogLevel.INFO,
    )


@pytest.mark.parametrize("template", [5, None, {"en": "fine", "ko": 5}])
def test_a_template_that_is_no_text_is_left_out_with_a_warning(template: Any) -> None:
    with pytest.warns(UserWarning, match="CODES_BROKEN has no template in"):
        register_log_messages({Code.BROKEN: template})

    assert templates_of(Code.BROKEN) in ({}, {"en": "fine"})


def test_codes_of_the_sdk_have_the_templates_of_its_translator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = {"en": "{n} steps", "ko": "단계 {n}개", "de": None}
    translator = SimpleNamespace(
        get_supported_languages=lambda: list(known),
        get_template=lambda key, language: known[language] if key == "SDK_STEPS" else None,
    )
    home = SimpleNamespace(get_translator=lambda: translator)
    monkeypatch.setitem(sys.modules, "synapse_sdk.i18n", home)

    assert templates_of("SDK_STEPS") == {"en": "{n} steps", "ko": "단계 {n}개"}
    assert templates_of("SDK_OTHER") == {}
    assert templates_of(Code.UPLOADED) == {"en": "{n} files", "ko": "파일 {n}개"}
