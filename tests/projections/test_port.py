"""How readers find views, and what a series gives them."""

from __future__ import annotations

import sys
from array import array
from math import inf, nan
from typing import TYPE_CHECKING

import numpy as np
import pytest

from synapse_stream.entries.position import Positions
from synapse_stream.errors import ConfigError
from synapse_stream.ports.views import Series, SeriesKey, open_views
from synapse_stream.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

KEY = SeriesKey(1, 0, "train", "loss")


def test_views_are_opened_by_what_is_installed_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "somebody-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: somebody\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[synapse_stream.reading]\nsql = builtins:repr\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    settings = Settings(data_dir=tmp_path)

    assert str(open_views(settings)) == repr(settings)


def test_without_anything_installed_for_views_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])

    with pytest.raises(ConfigError, match=r"nothing installed serves .* synapse_stream\.reading"):
        open_views(Settings(data_dir=tmp_path))


def test_a_series_becomes_a_numpy_array() -> None:
    series = Series(
        KEY,
        values=array("d", [0.5, inf]),
        times=array("q", [1_763_880_000_000_000, 1_763_880_000_000_001]),
        xs=array("d", [1, nan]),
        positions=Positions([1, 1], [0, 0], [0, 1]),
    )

    found = series.to_numpy()

    assert len(series) == 2
    assert found["value"].tolist() == [0.5, inf]
    assert found["time"][1] == np.datetime64("2025-11-23T06:40:00.000001")
    assert found["x"].tolist()[0] == 1
    assert np.isnan(found["x"][1])


def test_a_series_without_x_has_none_in_numpy_either() -> None:
    series = Series(KEY, array("d", [1.0]), array("q", [0]), None, Positions([1], [0], [0]))

    assert np.isnan(series.to_numpy()["x"]).all()
