"""Templates of messages: filled as `str.format` does, but a typo in one ends no run."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import Any

_MEANT = ("level", "step", "language")


def meant(message: Any, params: dict[str, Any]) -> dict[str, Any]:
    """Take out of `params` what no template asks for, but what says how to record the message.

    These are `level` (another word for the context), `step` and `language` (which is rendered).
    """
    given = [name for name in _MEANT if name in params]
    if not given:
        return {}
    templates = list(message.values()) if isinstance(message, Mapping) else [message]
    asked = {field for template in templates for field in _fields_of(template)}
    return {name: params.pop(name) for name in given if name not in asked}


def render(template: str, params: Mapping[str, Any]) -> str:
    """Fill a template, if there are params; one that cannot be filled is shown as it is."""
    if not params:
        return template
    try:
        return template.format_map(params)
    except Exception:  # noqa: BLE001 - the template and the params are the plugin's
        return template


def _fields_of(template: Any) -> list[str]:
    try:
        parts = Formatter().parse(template)
        return [name.partition(".")[0].partition("[")[0] for _, name, _, _ in parts if name]
    except Exception:  # noqa: BLE001 - it is no template
        return []
