// The session of a person who signed in at an issuer: the buttons that begin it, its renewal, and the dialog at its end.

import * as api from "./api.js";
import { h, put } from "./dom.js";
import * as oidc from "./oidc.js";

let session = null;
let kept = null;
let dialog = null;
/** Ends a sign-in that waits for the other window. */
let attempt = new AbortController();

export function isPerson() { return session !== null; }

/** Takes a session over: its token is used from now on. */
function take(next) {
  kept?.stop();
  close();
  session = next;
  api.signIn(next.token);
  kept = oidc.keep(next, { renewed: take, ended });
}

/** Removes the dialog at the session's end. */
function close() {
  const shown = dialog;
  dialog = null;
  shown?.remove();
}

/** Ends a sign-in that waits. What began it says nothing more. */
function supersede() {
  attempt.abort();
  attempt = new AbortController();
}

/** Forgets the session. Returns the issuer's own sign-out page, if a person was signed in and there is one. */
export function leave() {
  supersede();
  kept?.stop();
  close();
  const issuer = session?.issuer;
  session = kept = null;
  if (!issuer?.end_session_endpoint) return null;
  const address = new URL(issuer.end_session_endpoint);
  address.searchParams.set("client_id", issuer.client_id);
  return { name: oidc.nameOf(issuer), address: address.href };
}

/** Signs in at an issuer; shows in `said` that it waits. Returns null if another sign-in took its place meanwhile. */
async function begin(issuer, said) {
  supersede();
  const mine = attempt;
  const cancel = h("button", { type: "button", onclick: () => mine.abort() }, "Cancel");
  try {
    const waits = oidc.signIn(issuer, mine.signal);
    put(said, h("p", { class: "notice" }, `Continue in the window of ${oidc.nameOf(issuer)}. `, cancel));
    const next = await waits;
    if (attempt !== mine) return null;
    if (mine.signal.aborted) throw new api.Failure("The sign-in was cancelled.");
    put(said);
    return next;
  } catch (error) {
    if (attempt !== mine) return null;
    throw error;
  }
}

function complain(said, error) { put(said, h("p", { class: "notice bad" }, error.message)); }

/** The button of an issuer. `enter` shows the console after a sign-in. */
function button(issuer, said, enter) {
  return h("button", { type: "button", class: "primary", onclick: async () => {
    try {
      const next = await begin(issuer, said);
      if (!next) return;
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

/** The gateway refuses the session's token: requests wait for a renewal, or for the person. */
export function refused() {
  api.suspend();
  kept?.refused();
}

/** Tells that the session has ended, over what is shown: requests wait, and what was typed stays. */
function ended() {
  if (dialog || !session) return;
  kept?.stop();
  api.suspend();
  const { issuer, subject } = session;
  const said = h("div", { role: "alert" });
  const again = h("button", { type: "button", class: "primary", onclick: async () => {
    try {
      const next = await begin(issuer, said);
      if (!next) return;
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
  // Requests that waited end: they are not the other person's.
  api.signOut();
  take(next);
  enterAs(next.token);
}
