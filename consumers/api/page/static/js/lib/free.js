/** Free data of a plugin as text: JSON with NaN, infinities and large integers as they were. */

const SPECIAL = /^\$(float|int)$/;
const MOST_CHARS = 200_000;

/** Return `value` indented, or with `line` in one line; long texts are cut. */
export function textOf(value, { line = false } = {}) {
  const parts = [];
  write(value, line ? null : "\n", { add: (part) => parts.push(part), left: MOST_CHARS });
  return parts.join("");
}

function write(value, newline, out) {
  const tagged = special(value);
  if (tagged !== null) return put(out, tagged);
  if (value === null || typeof value !== "object") return put(out, JSON.stringify(value));
  const isList = Array.isArray(value);
  const entries = isList ? value : Object.entries(value);
  const [open, close] = isList ? "[]" : "{}";
  if (entries.length === 0) return put(out, open + close);
  const inner = newline === null ? null : `${newline}  `;
  put(out, open);
  for (const [number, entry] of entries.entries()) {
    if (out.left <= 0) break;
    put(out, (number ? (inner === null ? ", " : ",") : "") + (inner ?? ""));
    if (!isList) put(out, `${JSON.stringify(unescaped(entry[0], entries))}: `);
    write(isList ? entry : entry[1], inner, out);
  }
  put(out, (newline ?? "") + close);
}

function put(out, text) {
  if (out.left <= 0) return;
  out.add(text.length > out.left ? `${text.slice(0, out.left)}…` : text);
  out.left -= text.length;
}

/** Return what a tag stands for: {"$float": "NaN"} is NaN, {"$int": "9007199254740993"} that integer. */
function special(value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return null;
  const [[key, text] = [], ...others] = Object.entries(value);
  return others.length === 0 && SPECIAL.test(key ?? "") && typeof text === "string" ? text : null;
}

/** A key that only looks like a tag has one more "$". */
const unescaped = (key, entries) => (entries.length === 1 && /^\$\$+(float|int)$/.test(key) ? key.slice(1) : key);
