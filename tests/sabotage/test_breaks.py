"""Breaks keep up with the code: each still has its place. `make sabotage` plays them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.sabotage.breaks import ROOT, Break, all_breaks

if TYPE_CHECKING:
    from pathlib import Path

BREAKS = all_breaks()


@pytest.mark.parametrize("one", BREAKS, ids=str)
def test_a_break_has_its_place_and_tests_that_must_notice(one: Break, tmp_path: Path) -> None:
    (tmp_path / one.file).parent.mkdir(parents=True)
    shutil.copy(ROOT / one.file, tmp_path / one.file)

    one.apply(tmp_path)

    broken = (tmp_path / one.file).read_text()
    assert broken != (ROOT / one.file).read_text()
    if one.file.endswith(".py"):
        compile(broken, one.file, "exec")
    assert (ROOT / one.notices).exists()


def test_there_is_one_for_every_part_of_an_events_way() -> None:
    assert len(BREAKS) >= 60
    assert len({str(one) for one in BREAKS}) == len(BREAKS)
