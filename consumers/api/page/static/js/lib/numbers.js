/** Numbers as text, the same in every chart and table. */

const COUNT = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const PLAIN = new Intl.NumberFormat("en", { maximumSignificantDigits: 6 });

export const formatCount = (count) => COUNT.format(count);

/** Return "1,000 points", "1 point", with a plural of its own "2 processes". */
export function counted(count, noun, nouns = `${noun}s`) {
  return `${formatCount(count)} ${count === 1 ? noun : nouns}`;
}

/** Return a value in six significant digits; what is not finite by its sign. */
export function formatValue(value) {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+∞" : "−∞";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) {
    return value
      .toExponential(3)
      .replace(/\.?0+e/, "e")
      .replace("e+", "e")
      .replaceAll("-", "−");
  }
  return PLAIN.format(value).replace("-", "−");
}
