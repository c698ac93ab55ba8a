/** Who asks: a token for those whom the API does not know, and the way out. */

import { html, nothing, render } from "../../vendor/lit-html.js";
import { getJson, onSignInNeeded, request } from "./api.js";

const PATH = "api/session";
let dialog = null;
let problem = null;
let whence = "";

export let role = "viewer";

/** Show in `root` who is signed in; ask for a token whenever the API demands one. */
export async function startSession(root) {
  onSignInNeeded(() => ask().then(() => show(root)));
  await show(root).catch((error) => reportError(error));
}

async function show(root) {
  const session = await getJson(PATH);
  role = session.role ?? "viewer";
  const leave = async () => {
    await request(PATH, { method: "DELETE" });
    location.reload();
  };
  render(
    html`${role === "operator" ? html`<a href="trail">Trail</a>` : nothing} ${
      session.demands_token && session.name
        ? html`<span class="who">${session.name} (${role})</span>
            <button type="button" class="quiet" @click=${leave}>Sign out</button>`
        : nothing
    }`,
    root,
  );
}

function ask() {
  dialog ??= document.body.appendChild(document.createElement("dialog"));
  dialog.setAttribute("aria-labelledby", "session-title");
  return new Promise((resolve) => {
    const enter = async (event) => {
      event.preventDefault();
      const token = new FormData(event.target).get("token");
      problem = await enterToken(token);
      if (problem === null) {
        dialog.close();
        resolve();
      } else draw(enter);
    };
    dialog.oncancel = (event) => event.preventDefault();
    draw(enter);
    dialog.showModal();
    getJson(PATH).then((session) => {
      whence = session.whence;
      draw(enter);
    }, reportError);
  });
}

async function enterToken(token) {
  const body = JSON.stringify({ token });
  const headers = { "Content-Type": "application/json" };
  try {
    await request(PATH, { method: "POST", headers, body, isSignIn: true });
    return null;
  } catch (error) {
    return error;
  }
}

function draw(enter) {
  render(
    html`<form @submit=${enter}>
      <h2 id="session-title">This deployment asks for a token</h2>
      <p>${whence}</p>
      <label
        >Token <input name="token" type="password" required autocomplete="current-password" spellcheck="false"
      /></label>
      ${problem ? html`<p class="alert" role="alert">${problem.message}</p>` : nothing}
      <div class="row-end"><button class="primary">Sign in</button></div>
    </form>`,
    dialog,
  );
}
