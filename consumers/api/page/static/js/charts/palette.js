/**
 * How series and axes look. Colours are CSS custom properties (charts.css), each series has a dash
 * of its own, too: nobody has to tell two lines apart by colour alone.
 */

const DASHES = [[], [7, 3], [2, 2], [9, 3, 2, 3], [4, 2], [12, 4], [2, 4], [6, 2, 2, 2, 2, 2]];
const NAMES = ["--chart-text", "--chart-grid", "--chart-cursor"];

/** How many series can be told apart. */
export const STYLES = DASHES.length;

/** Return the style of the series with this number in its chart; beyond the eighth a colour comes with another dash. */
export function styleOf(number) {
  const style = number % STYLES;
  const dash = DASHES[(style + Math.floor(number / STYLES)) % STYLES];
  return { variable: `--series-${style + 1}`, className: `series-${style + 1}`, dash };
}

let resolved = null;
const listeners = new Set();

/** Return the colours that a canvas needs, resolved for the colour scheme of now. */
export function theme() {
  resolved ??= resolve();
  return resolved;
}

/** Call `listener` when the colour scheme has changed; returns the way to stop that. */
export function onThemeChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function changed() {
  resolved = null;
  for (const listener of listeners) listener();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
new MutationObserver(changed).observe(document.documentElement, {
  attributeFilter: ["class", "data-theme"],
});

function resolve() {
  // light-dark() is resolved in properties only, not in the text of a custom property
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const colour = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const [text, grid, cursor] = NAMES.map(colour);
  const series = DASHES.map((_, i) => colour(styleOf(i).variable));
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  probe.remove();
  return { text, grid, cursor, series, font };
}
