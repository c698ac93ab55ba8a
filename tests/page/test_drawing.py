"""What the chart modules compute, and which pixels they draw."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.page.conftest import Visitor

BUCKETS = 1_000
SPIKE_AT, SPIKE = 617, 40.0


@pytest.fixture
def page(visitor: Visitor) -> Page:
    return visitor.open("/compare")


def call(page: Page, module: str, body: str, argument: Any = None) -> Any:
    """Run `body` with what a module of the page exports as `its`, and `given`."""
    script = f"async (given) => {{ const its = await import('/static/js/{module}'); {body} }}"
    return page.evaluate(script, argument)


def test_smoothing_averages_what_is_finite_only(page: Page) -> None:
    values = [4.0, None, 2.0, 6.0]
    body = "return [...its.smooth(given.map((v) => v ?? NaN), 0.5)].map((v) => isNaN(v) ? null : v)"

    smoothed = call(page, "charts/smoothing.js", body, values)

    assert smoothed[1] is None
    weights = [0.5**age for age in range(3)]
    expected = [
        sum(w * v for w, v in zip(weights, reversed([4.0, 2.0, 6.0][:n]), strict=False))
        / sum(weights[:n])
        for n in (1, 2, 3)
    ]
    assert [smoothed[0], *smoothed[2:]] == pytest.approx(expected)
    unsmoothed = "return [...its.smooth(given, 0)]"
    assert call(page, "charts/smoothing.js", unsmoothed, [3.0, 1.0]) == [3.0, 1.0]


def test_positions_are_compared_as_numbers(page: Page) -> None:
    ordered = [None, "9-9.9", "10-0.0", "10-9.0", "10-10.0", "10-10.2", "10-10.10"]
    body = "return given.map((a) => given.map((b) => its.comparePositions(a, b)))"

    compared = call(page, "lib/positions.js", body, ordered)

    places = range(len(ordered))
    assert compared == [[(a > b) - (a < b) for b in places] for a in places]


def test_values_are_written_short_and_plain(page: Page) -> None:
    texts = {
        0: "0",
        1234567.891: "1,234,570",
        -0.25: "\u22120.25",
        3e-7: "3e\u22127",
        1.7e308: "1.7e308",
        math.inf: "+\u221e",
    }

    written = call(page, "lib/numbers.js", "return given.map(its.formatValue)", list(texts))

    assert written == list(texts.values())


def test_ticks_of_an_axis_differ_from_each_other(page: Page) -> None:
    body = "return its.numberTicks(null, given.ticks, 1, 0, given.step)"

    near = {"ticks": [1_200_000, 1_200_002, 1_200_004], "step": 2}
    close = call(page, "charts/axes.js", body, near)
    far = call(page, "charts/axes.js", body, {"ticks": [0, 250_000, 500_000], "step": 250_000})

    assert close == ["1,200,000", "1,200,002", "1,200,004"]
    assert far == ["0", "250k", "500k"]


DRAWN = """async ({spikeAt, spike, count, smoothing, gap}) => {
  const { Line } = await import("/static/js/charts/line.js");
  const { Chart } = await import("/static/js/charts/chart.js");
  const { AXES } = await import("/static/js/charts/axes.js");
  const at = (value) => Array.from({ length: count }, (_, i) => value(i));
  const unlessGap = (value, other) => (i) => i >= gap[0] && i < gap[1] ? other : value(i);
  const buckets = {
    start: at((i) => 100 * i),
    stop: at((i) => 100 * i + 99),
    points: at(() => 100),
    min: at(unlessGap(() => 10, null)),
    max: at(unlessGap((i) => i === spikeAt ? spike : 14, null)),
    last: at(unlessGap(() => 12, "NaN")),
    nans: at(unlessGap(() => 0, 100)),
    positive_infinite: at(() => 0),
    negative_infinite: at(() => 0),
  };
  const line = new Line({ attempt: 1, rank: 0, count: 100 * count, buckets }, Number);
  const root = document.createElement("div");
  root.className = "chart-plot";
  root.style.width = "500px";
  document.querySelector("main").replaceChildren(root);
  const options = { axis: AXES.step, isLog: false, syncKey: "test", onZoom() {}, onHover() {} };
  const chart = new Chart(root, options);
  chart.setLines([{ line, number: 0 }], line.extent(), { smoothing });
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  const plot = chart.plot;
  const { width, height } = plot.ctx.canvas;
  const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(plot.ctx.canvas, 0, 0);
  const isColoured = (place, value) => {
    const x = Math.round(plot.valToPos(place, "x", true));
    const y = Math.round(plot.valToPos(value, "y", true));
    const { data } = copy.getImageData(x - 1, y - 1, 3, 3);
    return Array.from({ length: 9 }, (_, i) => data.slice(4 * i, 4 * i + 4))
      .some(([red, , blue, alpha]) => alpha > 60 && blue > red + 40);
  };
  const middle = 100 * spikeAt + 50;
  const inGap = 50 * (gap[0] + gap[1]);
  return {
    spike: isColoured(middle, 0.97 * spike),
    beyond: isColoured(middle, 1.05 * spike),
    beside: isColoured(middle - 3000, 0.5 * spike),
    raw: isColoured(20_000, 12),
    gap: isColoured(inGap, 12),
    gapMark: isColoured(inGap, plot.scales.y.min),
  };
}"""


@pytest.mark.parametrize("smoothing", [0, 0.95])
def test_the_highest_of_a_hundred_thousand_points_is_seen(page: Page, smoothing: float) -> None:
    given = {"spikeAt": SPIKE_AT, "spike": SPIKE, "count": BUCKETS, "gap": [100, 150]}

    drawn = page.evaluate(DRAWN, {**given, "smoothing": smoothing})

    assert drawn == {
        "spike": True,
        "beyond": False,
        "beside": False,
        "raw": True,
        "gap": False,
        "gapMark": True,
    }
