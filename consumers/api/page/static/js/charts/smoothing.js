/**
 * Return the exponential moving average of `values`, one a value.
 *
 * The start is corrected for its lack of a past, so that the first average is the first value. A
 * value that is not finite has no average (NaN) and does not disturb those behind it.
 *
 * @param {ArrayLike<number>} values
 * @param {number} weight of the past, 0 (no smoothing) to below 1
 */
export function smooth(values, weight) {
  const averages = new Float64Array(values.length);
  let sum = 0;
  let share = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!Number.isFinite(value)) {
      averages[i] = NaN;
      continue;
    }
    sum = weight * sum + (1 - weight) * value;
    share = weight * share + (1 - weight);
    averages[i] = sum / share;
  }
  return averages;
}
