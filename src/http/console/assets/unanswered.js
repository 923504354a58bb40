// Requests without a known answer. They outlive the view, a reload and the tab, so they are in localStorage, which all tabs share.
// An entry there holds no secret, and only the principal who sent it gets it back: an Idempotency-Key of another principal would
// be a new request.

import { now } from "./api.js";
import { pathOf } from "./paths.js";

/** How long an entry is kept, in milliseconds. The gateway keeps Idempotency-Keys for 24 hours; the rest is for wrong clocks and
 *  slow retries. */
const KEPT = 23 * 3_600_000;

// Several gateways can share an origin, each below a path of its own.
const PREFIX = `tunnelgate ${new URL(".", document.baseURI).pathname} unanswered `;

/** Undefined before the sign-in, null if the gateway does not return the principal. */
let owner;
/** The entries of this page by their keys, with their pre-shared keys. `isStored` is false where the browser stores nothing. */
const here = new Map();
const listeners = new Set();

function stored() {
  try {
    return Object.keys(localStorage).filter((name) => name.startsWith(PREFIX)).map((name) => parsed(name)).filter(Boolean);
  } catch {
    return [];
  }
}

/** The entry under this name; removes it if it is none, or too old. */
function parsed(name) {
  let entry = null;
  try {
    entry = JSON.parse(localStorage.getItem(name));
  } catch {
    // Not written by this page.
  }
  const { tunnel, sent } = entry ?? {};
  const texts = [entry?.principal, tunnel?.vpc_id, tunnel?.gateway_id, tunnel?.tunnel_id];
  const isEntry = texts.every((text) => typeof text === "string") && (entry.operation === null || typeof entry.operation === "string")
    && [entry.body, entry.parameters].every((object) => typeof object === "object" && object !== null) && name === PREFIX + entry.key;
  if (isEntry && now() - sent < KEPT) return entry;
  localStorage.removeItem(name);
  return null;
}

const isKnown = () => typeof owner === "string";

function tell() { for (const listener of listeners) listener(); }

/** Calls back when the entries have changed, also by another tab. */
export function onChange(listener) { listeners.add(listener); }

/** The principal whose entries are used from now on. Undefined before the sign-in, null if the gateway does not return it: nothing
 *  is stored then. Secrets of the one before are forgotten. */
export function belongTo(principal) {
  owner = principal;
  here.clear();
  tell();
}

/** True if the entries of who is signed in are not stored, because the gateway does not tell whose they are. */
export function isForgetful() { return owner === null; }

/** Keeps a request before it is sent. Its pre-shared key stays in this page's memory. */
export function keep(entry) {
  const { pre_shared_key: secret, ...body } = entry.body;
  const kept = { ...entry, principal: owner ?? null, body, needsKey: secret !== undefined };
  let isStored = isKnown();
  try {
    if (isStored) localStorage.setItem(PREFIX + kept.key, JSON.stringify(kept));
  } catch {
    isStored = false;
  }
  here.set(kept.key, { ...kept, secret, isStored });
  tell();
  return kept;
}

/** Forgets a request: its answer is known. */
export function drop(key) {
  here.delete(key);
  try {
    localStorage.removeItem(PREFIX + key);
  } catch {
    // Nothing is stored.
  }
  tell();
}

/** The requests of this principal without a known answer, oldest first. `secret` is their pre-shared key, if it is known. */
export function all() {
  const found = new Map(stored().filter(({ principal }) => isKnown() && principal === owner).map((entry) => [entry.key, entry]));
  for (const [key, entry] of here) {
    // Another tab has got the answer of a stored entry that is gone.
    if ((entry.isStored && !found.has(key)) || now() - entry.sent >= KEPT) here.delete(key);
    else found.set(key, entry);
  }
  return [...found.values()].sort((one, other) => one.sent - other.sent);
}

/** The request about this tunnel without a known answer. */
export function about(tunnel) { return all().find((entry) => pathOf(entry.tunnel) === pathOf(tunnel)) ?? null; }

/** The request with this key, if its answer is not known yet. */
export function find(key) { return all().find((entry) => entry.key === key) ?? null; }

window.addEventListener("storage", ({ key }) => { if (key === null || key.startsWith(PREFIX)) tell(); });
