// Signing in and out, the sections, the theme.

import * as api from "./api.js";
import { audit, event } from "./audit.js";
import { chain } from "./chain.js";
import { h, hush, put } from "./dom.js";
import { operation } from "./operation.js";
import { operations } from "./operations.js";
import * as person from "./person.js";
import { keepNotices } from "./retry.js";
import * as rights from "./rights.js";
import { tunnel } from "./tunnel.js";
import { tunnels } from "./tunnels.js";
import { belongTo } from "./unanswered.js";

const main = document.getElementById("main");
const sections = document.getElementById("sections");
const signOut = document.getElementById("sign-out");

/** The sections that the token may not read, each with the service's error. */
const missing = { operations: null, audit: null };

const ROUTES = [
  { pattern: /^#\/operations\/([^/?]+)$/, needs: "operations", title: "Operation", show: operation },
  { pattern: /^#\/operations(?:\?.*)?$/, needs: "operations", title: "Operations", show: operations },
  { pattern: /^#\/tunnels\/([^/?]+)\/([^/?]+)\/([^/?]+)$/, needs: "operations", title: "Tunnel", show: tunnel },
  { pattern: /^#\/tunnels(?:\?.*)?$/, needs: "operations", title: "Tunnels", show: tunnels },
  { pattern: /^#\/audit\/(\d+)$/, needs: "audit", title: "Event", show: event },
  { pattern: /^#\/audit(?:\?.*)?$/, needs: "audit", title: "Audit log", show: audit },
  { pattern: /^#\/chain$/, needs: "audit", title: "Chain", show: chain },
];
const SCOPES = { operations: "tunnels:read", audit: "audit:read" };

let leave = new AbortController();

/** Leaves the current view and returns an empty one. */
function fresh(title) {
  leave.abort();
  leave = new AbortController();
  document.title = title ? `${title} – tunnelgate` : "tunnelgate";
  put(main);
  return { root: main, signal: leave.signal, mayReadLog: missing.audit === null };
}

function refusal(view, route) {
  view.root.append(h("div", { class: "head" }, h("h1", { tabindex: "-1" }, route.title)),
    h("div", { class: "notice", role: "alert" },
      h("p", {}, "Your token lacks the scope ", h("code", {}, SCOPES[route.needs]), `: ${missing[route.needs].message}`),
      !person.isPerson() && h("p", { class: "muted" }, "The gateway's operators choose a key's scopes when they create it: ", h("code", {}, `tunnelgate keys create --scope ${SCOPES[route.needs]} …`))));
}

function show(isNavigation) {
  if (!api.isSignedIn()) return;
  const found = ROUTES.map((route) => ({ route, match: route.pattern.exec(location.hash) })).find(({ match }) => match);
  if (!found) {
    history.replaceState(null, "", missing.operations && !missing.audit ? "#/audit" : "#/operations");
    show(isNavigation);
    return;
  }
  const { route, match } = found;
  for (const link of sections.querySelectorAll("a")) {
    if (location.hash.startsWith(link.hash)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const view = fresh(route.title);
  if (missing[route.needs]) refusal(view, route);
  else route.show(view, ...match.slice(1).map(decodeURIComponent));
  if (isNavigation) main.querySelector("h1")?.focus();
}

/** Null if the token may read this path, else the service's error. Throws for an invalid token. */
async function lacks(path) {
  try {
    await api.ask(path, { limit: 1 });
    return null;
  } catch (error) {
    if (error.status !== 403) throw error;
    return error;
  }
}

/** The latest sign-in: an earlier one that still waits for the gateway has no effect. */
let entering = null;

/** Signs in with a token and shows the console. Returns false if another sign-in took its place meanwhile. */
async function enter(secret) {
  api.signIn(secret);
  const mine = entering = {};
  let found;
  try {
    found = await Promise.all([lacks("operations"), lacks("audit-events"), principal()]);
  } catch (error) {
    if (entering !== mine) return false;
    api.signOut();
    throw error;
  }
  if (entering !== mine) return false;
  [missing.operations, missing.audit] = found;
  belongTo(found[2]);
  sections.hidden = signOut.hidden = false;
  show(true);
  return true;
}

/** The id of the caller whom the token belongs to; null if the gateway does not tell. Throws for an invalid token. */
async function principal() {
  try {
    const { id } = await api.get("principal");
    return id;
  } catch (error) {
    // Older gateways have no such path.
    if (error.status !== 404) throw error;
    return null;
  }
}

/** Forgets what belongs to an earlier token: its rights, pre-shared keys of requests without an answer, and what was announced. */
function forget() {
  hush();
  rights.forget();
  belongTo(undefined);
}

/** Asks for the token; `reason` explains why the page asks again. */
function askForToken(reason) {
  entering = null;
  const elsewhere = person.leave();
  api.signOut();
  forget();
  sections.hidden = signOut.hidden = true;
  const view = fresh("Sign in");
  const said = h("div", { role: "alert" }, reason && h("p", { class: "notice warn" }, reason));
  const people = h("div", { class: "people" });
  const input = h("input", { id: "token", type: "password", autocomplete: "off", spellcheck: "false", autocapitalize: "off", required: true, placeholder: "tg_…", "aria-describedby": "kept-where" });
  const button = h("button", { type: "submit", class: "primary" }, "Sign in");
  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    put(said);
    person.leave();
    try {
      // A sign-in at an issuer that was begun meanwhile must not replace this one later.
      if (await enter(input.value.trim())) person.leave();
    } catch (error) {
      const unknown = "The gateway does not know this token: it is invalid, expired or revoked.";
      put(said, h("p", { class: "notice bad" }, error.status === 401 ? unknown : error.message));
      input.setAttribute("aria-invalid", "true");
      input.focus();
      input.select();
    } finally {
      button.disabled = false;
    }
  }
  view.root.append(h("form", { class: "sign-in", onsubmit: submit },
    h("h1", {}, "Sign in"),
    h("p", {}, "Change tunnels, follow operations live, read the audit log, and verify its hash chain."), said,
    elsewhere && h("p", { class: "notice" }, `You are signed out here. At ${elsewhere.name} you may still be signed in: `,
      h("a", { href: elsewhere.address, target: "_blank", rel: "noreferrer" }, "sign out there too"), "."),
    people,
    h("label", { for: "token" }, "API token"), input, button,
    h("p", { id: "kept-where", class: "muted" }, "The token stays in this page's memory only: a reload or signing out removes it. The page changes a tunnel only after it has shown what that does, and you have confirmed it.")));
  input.focus();
  person.offer(people, said, enter);
}

const THEMES = { "": "Theme: system", light: "Theme: light", dark: "Theme: dark" };
const theme = document.getElementById("theme");
function dress(name) {
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
  theme.textContent = THEMES[name];
}
theme.addEventListener("click", () => {
  const names = Object.keys(THEMES);
  dress(names[(names.indexOf(document.documentElement.dataset.theme ?? "") + 1) % names.length]);
});

document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
signOut.addEventListener("click", () => askForToken(null));
person.onChange({ left: () => askForToken(null), entered: (token) => { forget(); enter(token).catch((error) => askForToken(error.message)); } });
api.onRefused(() => {
  // The sign-in form shows its own error.
  if (sections.hidden) return false;
  if (person.isPerson()) {
    person.refused();
    return true;
  }
  askForToken("Your token is no longer valid: it has expired or was revoked. Sign in again to continue here.");
  return false;
});
window.addEventListener("hashchange", () => show(true));
dress("");
keepNotices(document.getElementById("unanswered"));
askForToken(null);
