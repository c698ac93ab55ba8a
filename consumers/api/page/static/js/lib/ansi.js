/** Colours that a terminal's escape sequences ask for, as spans; all other controls are made visible. */

import { html } from "../../vendor/lit-html.js";
import { visible } from "./format.js";

const SEQUENCE = /\u001b\[([\d;]*)m/g;
const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
const CUBE = 16;
const GREYS = 232;
const PLAIN = { colour: "", isBold: false, isFaint: false, isItalic: false, isUnderlined: false };

/** Return `text` as a terminal shows it: colours of letters, bold, faint, italic, underlined; no grounds. */
export function coloured(text, { line = false } = {}) {
  if (!text.includes("\u001b[")) return visible(text, { line });
  const parts = [];
  let [style, from] = [PLAIN, 0];
  const put = (piece) => {
    if (piece) parts.push(span(visible(piece, { line }), style));
  };
  for (const found of text.matchAll(SEQUENCE)) {
    put(text.slice(from, found.index));
    style = styled(style, found[1].split(";").map(Number));
    from = found.index + found[0].length;
  }
  put(text.slice(from));
  return parts;
}

/** Return `text` without what asks for colours. */
export const plain = (text) => text.replace(SEQUENCE, "");

function span(text, { colour, isBold, isFaint, isItalic, isUnderlined }) {
  const names = { [`ansi-${colour}`]: colour, "ansi-bold": isBold, "ansi-faint": isFaint };
  Object.assign(names, { "ansi-italic": isItalic, "ansi-underlined": isUnderlined });
  const given = Object.keys(names).filter((name) => names[name]);
  return given.length ? html`<span class=${given.join(" ")}>${text}</span>` : text;
}

/** Return the style behind a sequence of codes. */
function styled(before, codes) {
  let style = before;
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at];
    if (code === 38 || code === 48) {
      const [colour, length] = extended(codes.slice(at + 1));
      if (code === 38) style = { ...style, colour };
      at += length;
    } else style = simple(style, code);
  }
  return style;
}

function simple(style, code) {
  if (code === 0) return PLAIN;
  if (code === 1) return { ...style, isBold: true };
  if (code === 2) return { ...style, isFaint: true };
  if (code === 3) return { ...style, isItalic: true };
  if (code === 4) return { ...style, isUnderlined: true };
  if (code === 22) return { ...style, isBold: false, isFaint: false };
  if (code === 23) return { ...style, isItalic: false };
  if (code === 24) return { ...style, isUnderlined: false };
  if (code === 39) return { ...style, colour: "" };
  if (code >= 30 && code < 38) return { ...style, colour: COLOURS[code - 30] };
  if (code >= 90 && code < 98) return { ...style, colour: code === 90 ? "grey" : COLOURS[code - 90] };
  return style;
}

/** Return the nearest of the eight colours for one of 256 or of 16 million, and how many codes say it. */
function extended([kind, ...codes]) {
  if (kind === 5) return [ofPalette(codes[0]), 2];
  if (kind === 2) return [nearest(codes.slice(0, 3).map((value) => value / 255)), 4];
  return ["", 1];
}

function ofPalette(number) {
  if (number < CUBE) return number === 8 ? "grey" : COLOURS[number % 8];
  if (number >= GREYS) return "grey";
  const place = number - CUBE;
  return nearest([Math.floor(place / 36), Math.floor(place / 6) % 6, place % 6].map((value) => value / 5));
}

function nearest(channels) {
  const most = Math.max(...channels);
  if (most - Math.min(...channels) < 0.2) return "grey";
  return COLOURS[channels.reduce((bits, value, i) => bits + (value > most / 2 ? 1 << i : 0), 0)];
}
