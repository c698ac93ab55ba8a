/** Light or dark: as the system has it, or as one has chosen in this browser. */

import { html, render } from "../../vendor/lit-html.js";
import { icon } from "./icons.js";
import { keep, kept } from "./kept.js";

const THEMES = ["system", "light", "dark"];

/** Show the chosen theme, and in `root` a button that changes it. */
export function startTheme(root) {
  const chosen = kept("theme", "system");
  show(root, THEMES.includes(chosen) ? chosen : "system");
}

function show(root, theme) {
  document.documentElement.dataset.theme = theme;
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  const change = () => {
    keep("theme", next);
    show(root, next);
  };
  const name = `Theme: ${theme}`;
  render(
    html`<button type="button" class="quiet" aria-label=${name} title="${name}; next: ${next}" @click=${change}>
      ${icon(theme)}
    </button>`,
    root,
  );
}
