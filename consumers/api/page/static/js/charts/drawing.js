/**
 * Draws lines onto a uPlot's canvas, each from its own columns: series of different places need not
 * be aligned, and a bucket's extremes are drawn in full, however narrow the bucket is.
 */

const BAND_ALPHA = 0.36;
const RAW_BEHIND_SMOOTH_ALPHA = 0.45;
const LONE_POINT_RADIUS = 2.5;
const MOST_DOTS_A_PIXEL = 1 / 12;
const MARK_SIZE = 6;

/**
 * Draw one line: the envelope of its buckets, the line through their last values, marks where
 * values are not finite, and the smoothed line over all that.
 *
 * @param {uPlot} plot
 * @param {Line} line
 * @param {{colour: string, dash: number[]}} style
 * @param {Float64Array|null} smoothed
 */
export function drawLine(plot, line, style, smoothed) {
  const { ctx } = plot;
  const { left, top, width, height } = plot.bbox;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  ctx.strokeStyle = ctx.fillStyle = style.colour;
  ctx.lineJoin = "round";
  drawEnvelope(plot, line);
  ctx.setLineDash(style.dash.map((length) => length * devicePixelRatio));
  ctx.globalAlpha = smoothed ? RAW_BEHIND_SMOOTH_ALPHA : 1;
  strokeValues(plot, line, line.last, smoothed ? 1 : 1.5);
  ctx.globalAlpha = 1;
  if (smoothed) strokeValues(plot, line, smoothed, 2);
  drawMarks(plot, line);
  ctx.restore();
}

/** Fill from minimum to maximum, a pixel column at a time; at least one pixel wide. */
function drawEnvelope(plot, line) {
  const path = new Path2D();
  let column = null;
  const flush = () => {
    if (column) path.rect(column.from, column.top, column.to - column.from, column.bottom - column.top);
  };
  for (let i = 0; i < line.length; i++) {
    if (line.points[i] < 2 || Number.isNaN(line.min[i])) continue;
    const from = Math.floor(plot.valToPos(line.start[i], "x", true));
    const to = Math.max(
      from + Math.ceil(devicePixelRatio),
      Math.floor(plot.valToPos(line.start[i + 1] ?? line.stop[i], "x", true)),
    );
    const top = plot.valToPos(line.max[i], "y", true);
    const bottom = Math.max(top + 1, plot.valToPos(line.min[i], "y", true));
    if (column?.from === from) {
      column.to = Math.max(column.to, to);
      column.top = Math.min(column.top, top);
      column.bottom = Math.max(column.bottom, bottom);
    } else {
      flush();
      column = { from, to, top, bottom };
    }
  }
  flush();
  plot.ctx.globalAlpha = BAND_ALPHA;
  plot.ctx.fill(path);
}

/** Stroke through the values that are finite; what is not breaks the line. */
function strokeValues(plot, line, values, width) {
  const { ctx } = plot;
  const path = new Path2D();
  const lone = [];
  const places = [];
  let run = 0;
  for (let i = 0; i <= line.length; i++) {
    if (i === line.length || !Number.isFinite(values[i])) {
      if (run === 1) lone.push(places.at(-1));
      run = 0;
      continue;
    }
    const place = [plot.valToPos(line.stop[i], "x", true), plot.valToPos(values[i], "y", true)];
    path[run ? "lineTo" : "moveTo"](...place);
    places.push(place);
    run += 1;
  }
  ctx.lineWidth = width * devicePixelRatio;
  ctx.stroke(path);
  const isSparse = values === line.last && places.length < (plot.bbox.width * MOST_DOTS_A_PIXEL) / devicePixelRatio;
  drawDots(ctx, isSparse ? places : lone);
}

function drawDots(ctx, places) {
  const path = new Path2D();
  for (const [x, y] of places) {
    path.moveTo(x, y);
    path.arc(x, y, LONE_POINT_RADIUS * devicePixelRatio, 0, 2 * Math.PI);
  }
  ctx.fill(path);
}

/** Mark NaN by a bar at the lower edge, infinities by arrows at the edge that they lie beyond. */
function drawMarks(plot, line) {
  const { left, top, width, height } = plot.bbox;
  const size = MARK_SIZE * devicePixelRatio;
  const path = new Path2D();
  for (let i = 0; i < line.length; i++) {
    if (!(line.nans[i] || line.positive_infinite[i] || line.negative_infinite[i])) continue;
    const from = plot.valToPos(line.start[i], "x", true);
    const to = plot.valToPos(line.stop[i], "x", true);
    if (to < left || from > left + width) continue;
    if (line.nans[i]) {
      const wide = Math.max(to - from, 2 * devicePixelRatio);
      path.rect((from + to - wide) / 2, top + height - size, wide, size);
    }
    if (line.positive_infinite[i]) addArrow(path, to, top, size);
    if (line.negative_infinite[i]) addArrow(path, to, top + height, -size);
  }
  plot.ctx.fill(path);
}

/** Add a triangle whose tip lies at (x, y), on the edge; it opens by `size` inwards. */
function addArrow(path, x, y, size) {
  path.moveTo(x, y);
  path.lineTo(x - size / 2, y + size);
  path.lineTo(x + size / 2, y + size);
  path.closePath();
}
