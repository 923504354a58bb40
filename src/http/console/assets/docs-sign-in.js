// Signing in with an issuer in the Swagger UI: fills in the token of "Authorize", and renews it.

import { h, put } from "./dom.js";
import * as oidc from "./oidc.js";

/** The name of the security scheme in the OpenAPI document. */
const SCHEME = "bearer";

/** Adds the buttons above a Swagger UI, if there are issuers. */
export async function offer(ui) {
  const found = await oidc.issuers();
  if (found.length === 0) return;
  let [stop, isIn] = [() => {}, false];
  let attempt = new AbortController();
  const said = h("span", { id: "signed-in", role: "status" });
  const buttons = h("span");
  const place = h("div", { id: "sign-in" }, buttons, said);
  Object.assign(place.style, { display: "flex", gap: "1rem", alignItems: "center", padding: "0.8rem 1.25rem", fontFamily: "sans-serif", flexWrap: "wrap" });
  const button = (text, onclick) => h("button", { type: "button", class: "btn authorize", onclick }, text);

  function out(reason) {
    stop();
    if (isIn) ui.authActions.logout([SCHEME]);
    isIn = false;
    put(said, reason);
    put(buttons, found.map((issuer) => button(`Sign in with ${oidc.nameOf(issuer)}`, () => enter(issuer))));
  }

  function take(session) {
    stop();
    ui.preauthorizeApiKey(SCHEME, session.token);
    isIn = true;
    const ended = () => out("Your sign-in has ended. Sign in again to go on; what you typed is kept.");
    ({ stop } = oidc.keep(session, { renewed: take, ended }));
    put(said, `Signed in as ${session.name} at ${oidc.nameOf(session.issuer)}.`);
    put(buttons, button("Sign out", () => out("")));
  }

  async function enter(issuer) {
    attempt.abort();
    attempt = new AbortController();
    const { signal } = attempt;
    try {
      const waits = oidc.signIn(issuer, signal);
      put(said, `Continue in the window of ${oidc.nameOf(issuer)}.`);
      const session = await waits;
      if (!signal.aborted) take(session);
    } catch (error) {
      // A newer attempt has its own words.
      if (!signal.aborted) out(error.message);
    }
  }

  out("");
  document.body.prepend(place);
}
