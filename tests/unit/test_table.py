from __future__ import annotations

import csv
import io
from array import array
from math import inf, nan

import pytest

from synapse_stream.entries.position import Positions
from synapse_stream.ports.views import Axis, Bucket, Overview, Series, SeriesKey
from synapse_stream.ports.views.table import COLUMNS, defused, points, utc
from synapse_stream.reading.job_views import Metrics


def series(key: SeriesKey, *values: float, xs: list[float] | None = None) -> Series:
    count = len(values)
    return Series(
        key,
        array("d", values),
        array("q", range(count)),
        None if xs is None else array("d", xs),
        Positions([1] * count, [0] * count, range(count)),
    )


@pytest.mark.parametrize(
    "name",
    [
        *(f"{sign}cmd|' /C calc'!A0" for sign in ("=", "+", "-", "@", "\t", "\r", "\n")),
        "  =1+1",
        "\uff1d1+1",
        "-",
    ],
)
def test_what_a_spreadsheet_would_calculate_is_text(name: str) -> None:
    rows = points(series(SeriesKey(1, 0, name, name), 1.0))

    (found,) = csv.reader(io.StringIO(rows))

    assert dict(zip(COLUMNS, found, strict=True))["name"] == f"'{name}"
    assert dict(zip(COLUMNS, found, strict=True))["step"] == f"'{name}"


@pytest.mark.parametrize("name", ["loss", "", "a=b", "'=1", "µ", 'say "x", y'])
def test_other_names_stay_as_they_are(name: str) -> None:
    assert defused(name) == name


def test_numbers_are_numbers_whatever_their_sign() -> None:
    rows = points(series(SeriesKey(1, 0, None, "n"), -1.5, -inf, nan, xs=[-1.0, nan, 2.0]))

    found = [row[-2:] for row in csv.reader(io.StringIO(rows))]

    assert found == [["-1.0", "-1.5"], ["", "-Infinity"], ["2.0", "NaN"]]


def test_a_time_is_exact_to_the_microsecond_and_no_time_fails() -> None:
    assert utc(1_763_880_000_000_001) == "2025-11-23T06:40:00.000001Z"
    assert utc(-1) == "1969-12-31T23:59:59.999999Z"
    assert utc(2**63) == "1970-01-01T00:00:00.000000Z"


def test_the_repr_of_views_is_a_line() -> None:
    key = SeriesKey(2, 0, "fit\n" * 500, "loss")
    found = series(key, *range(10_000))
    columns = dict.fromkeys(Bucket._fields, [0.0] * 99)
    for view in (found, series(key), Metrics([found] * 9), Overview(key, Axis.X, 9, columns)):
        assert "\n" not in repr(view)
        assert len(repr(view)) < 300
    assert repr(found).endswith("(attempt 2, rank 0): 10000 points, last 9999.0>")
