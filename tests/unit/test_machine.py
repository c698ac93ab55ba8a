"""What a machine lacks is a skip for people and a failure in CI."""

from __future__ import annotations

import pytest

from tests.support.machine import needed

LACKING = "no such program: apt-get install it"


def test_what_is_there_is_returned() -> None:
    assert needed("/usr/bin/it", LACKING) == "/usr/bin/it"


def test_what_is_lacking_skips_a_test_and_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match=LACKING):
        needed(None, LACKING)


def test_what_is_lacking_in_ci_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match=LACKING):
        needed(None, LACKING)
