"""Frames of live streams, held against their description."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

from jsonschema import Draft202012Validator

from consumers.api.asyncapi import description

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.support.scenes.reader import Sent

_MOST_OF_A_KIND = 5


def check_frames(sent: Iterable[Sent]) -> None:
    """Raise ValidationError if one of the first frames of a name is not as described."""
    seen: Counter[str] = Counter()
    for one in sent:
        seen[one.event] += 1
        if seen[one.event] <= _MOST_OF_A_KIND:
            _shapes()[one.event].validate(one.data)


@cache
def _shapes() -> Mapping[str, Draft202012Validator]:
    described = description()
    return {
        name: Draft202012Validator({"$ref": message["payload"]["$ref"], **described})
        for name, message in described["components"]["messages"].items()
    }
