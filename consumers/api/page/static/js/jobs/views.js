/** The dialog of columns and views: what the list shows, and names under which one finds it again. */

import { html, nothing, render } from "../../vendor/lit-html.js";
import { oneLine } from "../lib/format.js";
import { keep, kept } from "../lib/kept.js";
import { fieldsOf, OWN } from "./columns.js";

const FIELDS_HELP = "Fields with a comma between any two, as params.lr, metrics.loss.best, labels.owner";

/** Return the saved views, `{name: query}`. */
export const views = () => kept("views", {});

/** Draw a list of the saved views, of which `name` is shown; `open(name)` shows another one. */
export function viewPicker(name, open) {
  const names = Object.keys(views()).sort();
  if (!names.length) return nothing;
  return html`<select aria-label="View" @change=${({ target }) => open(target.value)}>
    <option value="" ?selected=${!names.includes(name)}>No view</option>
    ${names.map((one) => html`<option value=${one} ?selected=${one === name}>${oneLine(one, 60)}</option>`)}
  </select>`;
}

/**
 * Let one choose columns, and save what the list shows as a view.
 *
 * @param {{hide: string, columns: string, view: string}} shown
 * @param {{change: (changed: object) => void, save: (name: string) => void}} options
 */
export function editColumns(shown, { change, save }) {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "columns-title");
  const draw = () => render(form(shown, { done, drop }), dialog);
  const done = (event) => {
    event.preventDefault();
    const data = new FormData(event.target);
    const hide = OWN.filter(({ name }) => !data.has(name)).map(({ name }) => name);
    change({ hide: hide.join(","), columns: fieldsOf(data.get("columns")).join(",") });
    const name = data.get("view").trim();
    if (name) save(name);
    dialog.close();
  };
  const drop = (name) => {
    const { [name]: _, ...others } = views();
    keep("views", others);
    draw();
  };
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  draw();
  dialog.showModal();
}

function form({ hide, columns, view }, { done, drop }) {
  const hidden = new Set(fieldsOf(hide));
  const saved = Object.keys(views()).sort();
  return html`<form @submit=${done}>
    <h2 id="columns-title">Columns and views</h2>
    <fieldset>
      <legend>Columns</legend>
      ${OWN.map(
        ({ name, title }) =>
          html`<label><input type="checkbox" name=${name} .checked=${!hidden.has(name)} /> ${title}</label> `,
      )}
    </fieldset>
    <label
      >More columns
      <input
        name="columns"
        .value=${columns}
        title=${FIELDS_HELP}
        placeholder="params.lr, metrics.loss.best"
        maxlength="2000"
        autocomplete="off"
        spellcheck="false"
    /></label>
    <label
      >Save as view
      <input name="view" .value=${view} placeholder="a name, or nothing" maxlength="60" autocomplete="off"
    /></label>
    ${
      saved.length
        ? html`<ul class="lines">
            ${saved.map(
              (name) =>
                html`<li>
                  <bdi>${oneLine(name, 60)}</bdi>
                  <button type="button" class="quiet" aria-label="Drop view ${name}" @click=${() => drop(name)}>
                    Drop
                  </button>
                </li>`,
            )}
          </ul>`
        : nothing
    }
    <div class="row-end">
      <button type="button" @click=${({ target }) => target.closest("dialog").close()}>Cancel</button>
      <button class="primary">Show</button>
    </div>
  </form>`;
}
