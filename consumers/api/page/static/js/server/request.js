/** Requests to the API: answers, or `Problem`s; who is not known signs in, and then they are sent again. */

/** An answer that is an error: RFC 9457, or no answer at all (status 0). */
export class Problem extends Error {
  constructor(status, title, detail, retryAfter = null) {
    super(detail || title);
    Object.assign(this, { name: "Problem", status, title, detail, retryAfter });
  }
}

let signIn = null;
let signingIn = null;

/** Have `ask` called when the server wants to know who asks; it resolves when it knows. */
export function onSignInNeeded(ask) {
  signIn = ask;
}

/** Have someone sign in, once for all who ask for it; without one who could ask nothing happens. */
export function askSignIn() {
  signingIn ??= signIn?.().finally(() => (signingIn = null)) ?? null;
  return signingIn;
}

/** Send a request; after a 401 once more, when someone has signed in. */
export async function request(path, options = {}) {
  const response = await send(path, options);
  if (response.status === 401 && signIn !== null && !options.isSignIn) {
    await askSignIn();
    return check(await send(path, options));
  }
  return check(response);
}

async function send(path, { isSignIn: _, ...options }) {
  try {
    return await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "No connection", "The server cannot be reached.");
  }
}

async function check(response) {
  if (response.ok) return response;
  const { title, detail } = await response.json().catch(() => ({}));
  const retryAfter = Number(response.headers.get("Retry-After")) || null;
  throw new Problem(response.status, title ?? response.statusText, detail ?? "", retryAfter);
}
