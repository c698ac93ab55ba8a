/** Long lists: only the rows in sight are in the document, whatever the length. */

import { render } from "../../vendor/lit-html.js";

const OVERSCAN = 8;

/**
 * Shows a slice of equally high rows between two spacers. A row keeps its element while it is in sight, so focus and
 * selection stay with it when the list grows above it.
 */
export class Rows {
  #shown = new Map();
  #height = 0;
  #count = 0;

  /** `scroller` scrolls, `body` holds the rows of `tag`; `draw(item, element, index)` returns a template. */
  constructor({ scroller, body, tag, keyOf, draw, onRange = () => {} }) {
    Object.assign(this, { scroller, body, tag, keyOf, draw, onRange });
    this.items = [];
    this.before = spacer(tag);
    this.after = spacer(tag);
    body.replaceChildren(this.before, this.after);
    scroller.addEventListener("scroll", this.#redraw, { passive: true });
    this.resizing = new ResizeObserver(() => {
      this.#height = 0;
      this.update();
    });
    this.resizing.observe(scroller);
  }

  destroy() {
    this.scroller.removeEventListener("scroll", this.#redraw);
    this.resizing.disconnect();
  }

  /** Height of a row in pixels, as the style sheet says it. */
  get height() {
    this.#height ||= parseFloat(getComputedStyle(this.body).getPropertyValue("--row")) || 32;
    return this.#height;
  }

  /** Draw the rows in sight; with `items` these from now on. That a list has grown shows only then. */
  update(items = null) {
    if (items !== null) [this.items, this.#count] = [items, items.length];
    const { height, scroller } = this;
    const count = this.#count;
    const above = scroller.scrollTop - this.#offset();
    const start = Math.max(0, Math.min(Math.floor(above / height), count) - OVERSCAN);
    const stop = Math.min(count, Math.ceil((above + scroller.clientHeight) / height) + OVERSCAN);
    setHeight(this.before, start * height);
    setHeight(this.after, (count - Math.max(start, stop)) * height);
    this.#place(start, stop);
    this.onRange(start, stop);
  }

  /** Scroll so that row `index` is in sight, below `margin` pixels of what sticks to the top. */
  reveal(index, margin = 0) {
    const top = this.#offset() + index * this.height;
    const { scroller } = this;
    if (top < scroller.scrollTop + margin) scroller.scrollTop = top - margin;
    else if (top + this.height > scroller.scrollTop + scroller.clientHeight) {
      scroller.scrollTop = top + this.height - scroller.clientHeight;
    }
    this.update();
  }

  elementOf(key) {
    return this.#shown.get(key) ?? null;
  }

  #redraw = () => this.update();

  /** How far the first row lies below the top of what scrolls. */
  #offset() {
    const { scroller, before } = this;
    return before.getBoundingClientRect().top - scroller.getBoundingClientRect().top + scroller.scrollTop;
  }

  #place(start, stop) {
    const wanted = this.items.slice(start, stop).map((item) => [this.keyOf(item), item]);
    const gone = this.#shown;
    this.#shown = new Map(wanted.map(([key]) => [key, gone.get(key) ?? document.createElement(this.tag)]));
    for (const [key, element] of gone) if (!this.#shown.has(key)) element.remove();
    let at = this.before.nextSibling;
    wanted.forEach(([key, item], number) => {
      const element = this.#shown.get(key);
      render(this.draw(item, element, start + number), element);
      if (element === at) at = at.nextSibling;
      else this.body.insertBefore(element, at);
    });
  }
}

function spacer(tag) {
  const element = document.createElement(tag);
  element.setAttribute("aria-hidden", "true");
  element.className = "spacer";
  return element;
}

function setHeight(element, pixels) {
  element.style.height = `${pixels}px`;
}
