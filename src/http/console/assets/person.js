// The session of a person who signed in at an issuer: the buttons that begin it, its renewal, and the dialog at its end.

import * as api from "./api.js";
import { h, put } from "./dom.js";
import * as oidc from "./oidc.js";

let session = null;
let stop = () => {};
let dialog = null;
/** Ends a sign-in that waits for the other window. */
let attempt = new AbortController();

export function isPerson() { return session !== null; }

/** Takes a session over: its token is used from now on. */
function take(next) {
  stop();
  session = next;
  api.signIn(next.token);
  stop = oidc.keep(next, { renewed: take, ended });
}

/** Forgets the session. Returns the issuer's own sign-out page, if a person was signed in and there is one. */
export function leave() {
  attempt.abort();
  stop();
  dialog?.remove();
  const issuer = session?.issuer;
  session = dialog = null;
  if (!issuer?.end_session_endpoint) return null;
  const address = new URL(issuer.end_session_endpoint);
  address.searchParams.set("client_id", issuer.client_id);
  return { name: oidc.nameOf(issuer), address: address.href };
}

/** Signs in at an issuer; shows in `said` that it waits. */
async function begin(issuer, said) {
  attempt.abort();
  attempt = new AbortController();
  const { signal } = attempt;
  const cancel = h("button", { type: "button", onclick: () => attempt.abort() }, "Cancel");
  const waits = oidc.signIn(issuer, signal);
  put(said, h("p", { class: "notice" }, `Continue in the window of ${oidc.nameOf(issuer)}. `, cancel));
  try {
    return await waits;
  } finally {
    put(said);
  }
}

function complain(said, error) { put(said, h("p", { class: "notice bad" }, error.message)); }

/** The button of an issuer. `enter` shows the console after a sign-in. */
function button(issuer, said, enter) {
  return h("button", { type: "button", class: "primary", onclick: async () => {
    try {
      const next = await begin(issuer, said);
      take(next);
      await enter(next.token);
    } catch (error) {
      leave();
      api.signOut();
      complain(said, error);
    }
  } }, `Sign in with ${oidc.nameOf(issuer)}`);
}

/** Fills `place` with a button for each issuer; leaves it empty if there is none. */
export async function offer(place, said, enter) {
  const found = await oidc.issuers();
  if (found.length === 0) return;
  put(place, found.map((issuer) => button(issuer, said, enter)), h("p", { class: "or" }, "or with an API key:"));
}

/** Tells that the session has ended, over what is shown: requests wait, and what was typed stays. */
export function ended() {
  if (dialog || !session) return;
  api.suspend();
  const { issuer, subject } = session;
  const said = h("div", { role: "alert" });
  const again = h("button", { type: "button", class: "primary", onclick: async () => {
    try {
      const next = await begin(issuer, said);
      dialog?.remove();
      dialog = null;
      // What is shown belongs to the other person.
      if (next.subject !== subject) otherPerson(next);
      else take(next);
    } catch (error) {
      complain(said, error);
    }
  } }, "Sign in again");
  dialog = h("dialog", { id: "ended", "aria-labelledby": "ended-title", oncancel: (event) => event.preventDefault(),
    // Browsers close a dialog at the second Escape all the same.
    onclose: () => { if (dialog) dialog.showModal(); } },
    h("h2", { id: "ended-title" }, "You are signed out"),
    h("p", {}, `Your sign-in at ${oidc.nameOf(issuer)} has ended. Sign in again to go on here: what you typed is kept.`), said,
    h("div", { class: "actions" }, h("button", { type: "button", onclick: () => signOut() }, "Sign out"), again));
  document.body.append(dialog);
  dialog.showModal();
}

let signOut = () => {};
let enterAs = () => {};

/** What the console does when the person signs out in the dialog, or another person signs in there. */
export function onChange({ left, entered }) { [signOut, enterAs] = [left, entered]; }

function otherPerson(next) {
  take(next);
  enterAs(next.token);
}
