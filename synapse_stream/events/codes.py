"""Messages that are known by a code: its level, and its templates, one a language."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import Any, Self

from synapse_stream.events.templates import render
from synapse_stream.models import LogLevel

_ENGLISH = "en"
_LEVELS = frozenset(map(str, LogLevel))


class LogMessageCode(StrEnum):
    """Base of a plugin's codes: `UPLOADED = ("UPLOADED", LogLevel.SUCCESS)`."""

    _level: LogLevel

    def __new__(cls, value: str, level: LogLevel | str = LogLevel.INFO) -> Self:
        """Make a member of its text and its level."""
        code = str.__new__(cls, value)
        code._value_ = value
        code._level = LogLevel(level)  # noqa: SLF001 - of this class
        return code

    @property
    def level(self) -> LogLevel:
        """Level of every message with this code."""
        return self._level


class CommonLogMessageCode(LogMessageCode):
    """Codes that all plugins share."""

    PLUGIN_RUN_COMPLETE = ("PLUGIN_RUN_COMPLETE", LogLevel.INFO)


_templates: dict[str, dict[str, str]] = {}


def register_log_messages(templates: Mapping[Any, str | Mapping[str, str]]) -> None:
    """Say how messages with these codes read: in English, or `{language: template}`.

    What is no text is left out with a warning: a typo in a template must not end a run.
    """
    for code, given in templates.items():
        languages = {_ENGLISH: given} if isinstance(given, str) else given
        known = _templates.setdefault(str(code), {})
        for language, template in _items(languages):
            if isinstance(language, str) and isinstance(template, str):
                known[language] = template
            else:
                what = f"{code} has no template in {language!r}: {template!r} is no text"
                warnings.warn(what, stacklevel=2)


def resolve_log_message(
    code: Any, language: str | None = None, **params: Any
) -> tuple[str, LogLevel]:
    """Return how a message with this code reads, and its level."""
    fields: dict[str, Any] = {"level": LogLevel.INFO}
    return render(spell_out(fields, code, language), params), LogLevel(fields["level"])


def spell_out(fields: dict[str, Any], code: Any, language: Any = None) -> str:
    """Put what is known of a code into the fields of a message, and return its template.

    A level of the code's own is the message's. Without a template its text is the code.
    """
    key = str.__str__(code)
    fields["key"] = key
    level = getattr(code, "level", None)
    if isinstance(level, str) and level in _LEVELS:
        fields["level"] = str.__str__(level)
    templates = templates_of(code)
    if templates:
        fields["template"] = templates
    return templates.get(language) or templates.get(_ENGLISH) or key


def templates_of(code: Any) -> dict[str, str]:
    """Return the templates of a code by language, also those that the SDK's translator has."""
    key = str(code.value if isinstance(code, Enum) else code)
    home = sys.modules.get("synapse_sdk.i18n")
    if key in _templates or home is None:
        return _templates.get(key, {})
    translator = home.get_translator()
    found = {
        language: translator.get_template(key, language)
        for language in translator.get_supported_languages()
    }
    return {language: text for language, text in found.items() if text is not None}


def _items(languages: Any) -> Any:
    return languages.items() if isinstance(languages, Mapping) else [(None, languages)]


register_log_messages({CommonLogMessageCode.PLUGIN_RUN_COMPLETE: "Plugin run is complete."})
