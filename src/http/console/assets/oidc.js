// Signing in at an OIDC issuer: an authorization code with PKCE (RFC 7636), in a window of its own. Verifier, state, nonce and
// tokens are in the memory of this page only: nothing is stored, and no address holds a token.

import { Failure, learnClock, now } from "./api.js";

/** Time limit of a call to the issuer, in milliseconds. */
const LIMIT = 15_000;
/** A session is renewed this long before its end, in milliseconds, or after half of its time if that is later. */
const AHEAD = 60_000;
/** The shortest time between two renewals, in milliseconds: an issuer whose clock is wrong is not flooded. */
const PAUSE = 5_000;
/** The longest text of an issuer that is shown, in characters. */
const MAX_SHOWN = 300;
/** The longest timer of browsers, in milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** The issuers that people can sign in at. None if the gateway can't be asked: API keys work all the same. */
export async function issuers() {
  try {
    const options = { cache: "no-store", credentials: "omit", redirect: "error", signal: AbortSignal.timeout(LIMIT) };
    const response = await fetch(new URL("../sign-in", import.meta.url), options);
    if (!response.ok) return [];
    learnClock(response);
    return withPages((await response.json()).issuers);
  } catch {
    return [];
  }
}

/** An issuer's name for people: host and path. */
export function nameOf({ issuer }) {
  const { host, pathname } = new URL(issuer);
  return host + pathname.replace(/\/$/, "");
}

/** Gives each issuer the page to which it returns. Where several issuers have a client, one of them may pass another one's answer
 *  off as its own. So an answer must name its issuer, or arrive at a page that is registered at this issuer only. */
export function withPages(found) {
  const own = found.map((issuer) => `signed-in-${nameOf(issuer).replace(/[^\w.-]+/g, "_")}.html`);
  return found.map((issuer, index) => {
    const promises = issuer.authorization_response_iss_parameter_supported === true;
    const isAlone = own.indexOf(own[index]) === own.lastIndexOf(own[index]);
    const hasPage = !promises && found.length > 1 && isAlone;
    return { ...issuer, page: hasPage ? own[index] : "signed-in.html", mustBeNamed: promises || (found.length > 1 && !hasPage) };
  });
}

/** Refuses the answer of another issuer (RFC 9207): its code must not be sent to this one. */
export function check({ issuer, page, mustBeNamed }, answer) {
  const isNamed = answer.iss === undefined ? !mustBeNamed : answer.iss === issuer;
  if (isNamed && answer.page === page) return;
  throw new Failure("The answer is of another issuer, or does not name its issuer. Nothing of it is used.");
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function random() { return base64url(crypto.getRandomValues(new Uint8Array(32))); }

async function challengeOf(verifier) {
  return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
}

/** The claims of a JWT; null for any other text. Only the gateway verifies a token: the page chooses one. */
function claimsOf(token) {
  try {
    const [, claims] = /^[\w-]+\.([\w-]+)\.[\w-]+$/.exec(token);
    const bytes = atob(claims.replaceAll("-", "+").replaceAll("_", "/"));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))));
  } catch {
    return null;
  }
}

/** A text of the issuer without characters that control lines or direction. */
function shown(text) { return String(text).replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, " ").slice(0, MAX_SHOWN); }

const REASONS = {
  access_denied: "the sign-in was cancelled, or this client may not sign you in",
  invalid_client: "it does not know the gateway's client",
  invalid_grant: "the sign-in is no longer valid",
  invalid_scope: "it does not know a scope that the gateway requests",
  server_error: "it has a fault of its own",
  temporarily_unavailable: "it is unavailable at the moment",
  unauthorized_client: "the gateway's client may not use this way to sign in",
};

function refusal(issuer, { error, error_description: description }, status) {
  const words = [REASONS[error], description && shown(description)].filter(Boolean).join(": ");
  const code = error ? shown(error) : `HTTP status ${status}`;
  return new Failure(`${nameOf(issuer)} refused the sign-in: ${words ? `${words} (${code})` : code}.`, { status });
}

/** Asks the token endpoint. */
async function exchange(issuer, parameters) {
  let response;
  let isForbidden = false;
  const forbidden = () => { isForbidden = true; };
  document.addEventListener("securitypolicyviolation", forbidden);
  try {
    response = await fetch(issuer.token_endpoint, {
      method: "POST", body: new URLSearchParams({ client_id: issuer.client_id, ...parameters }), cache: "no-store",
      credentials: "omit", redirect: "error", referrerPolicy: "no-referrer", signal: AbortSignal.timeout(LIMIT) });
  } catch {
    // The browser tells of the page's policy after the fetch has failed.
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (isForbidden) throw new Failure(`This page was loaded before the gateway knew the token endpoint of ${nameOf(issuer)}. Reload the page, and sign in again.`);
    throw new Failure(`The token endpoint of ${nameOf(issuer)} is unreachable from this page. The issuer must allow calls of the origin ${location.origin} (CORS).`);
  } finally {
    document.removeEventListener("securitypolicyviolation", forbidden);
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok || body.error) throw refusal(issuer, body, response.status);
  return body;
}

function isFor(claims, audiences) {
  return [claims.aud].flat().some((audience) => audiences.includes(audience));
}

/** The seconds that a token is valid for, at `time` in seconds since 1970. Some issuers date `iat` back. */
export function secondsOf(claims, expiresIn, time) {
  const lifetimes = [expiresIn, claims.exp - (claims.iat ?? claims.nbf ?? time), claims.exp - time];
  return Math.max(0, Math.min(...lifetimes.filter(Number.isFinite)));
}

/** The session of the issuer's tokens. The gateway gets the access token if it is a JWT for the gateway, else the ID token. */
function sessionOf(issuer, tokens, { nonce, refresh = null } = {}) {
  const isOurs = (claims) => claims?.iss === issuer.issuer;
  const [access, identity] = [claimsOf(tokens.access_token), claimsOf(tokens.id_token)];
  const isForClient = isOurs(identity) && isFor(identity, [issuer.client_id]);
  if (nonce !== undefined && !(isForClient && identity.nonce === nonce)) {
    throw new Failure(`The answer of ${nameOf(issuer)} does not belong to this sign-in. Nothing of it is used.`);
  }
  const isAccess = isOurs(access) && isFor(access, issuer.audiences);
  if (!isAccess && !isForClient) throw new Failure(`${nameOf(issuer)} gave no token for the gateway.`);
  const [token, claims] = isAccess ? [tokens.access_token, access] : [tokens.id_token, identity];
  const { preferred_username: username, name, email, sub } = { ...claims, ...identity };
  // `expires_in` is the lifetime of the access token. The gateway's clock decides, whatever this machine's clock says.
  const seconds = secondsOf(claims, isAccess ? Number(tokens.expires_in ?? NaN) : NaN, now() / 1000);
  return { issuer, token, refresh: tokens.refresh_token ?? refresh, subject: claims.sub,
    name: shown(username ?? name ?? email ?? sub), endsAt: Date.now() + 1000 * seconds };
}

/** The issuer's answer, which the page signed-in.html passes on. Nobody listens to an answer with another state. */
function answerTo(state, signal) {
  const cancelled = () => new Failure("The sign-in was cancelled.");
  if (signal.aborted) return Promise.reject(cancelled());
  return new Promise((resolve, reject) => {
    const channel = new BroadcastChannel(`tunnelgate-sign-in-${state}`);
    channel.onmessage = ({ data }) => {
      channel.postMessage("taken");
      channel.close();
      resolve(data);
    };
    signal.addEventListener("abort", () => {
      channel.close();
      reject(cancelled());
    }, { once: true });
  });
}

/** Opens the issuer's page; called in a click, or the browser blocks the window. Returns the session. */
export function signIn(issuer, signal) {
  if (!issuer.authorization_endpoint || !issuer.token_endpoint) {
    throw new Failure(`The gateway can't reach ${nameOf(issuer)} at the moment. Reload this page later.`);
  }
  if (new URL(issuer.token_endpoint).hostname.startsWith("[")) {
    throw new Failure(`The token endpoint of ${nameOf(issuer)} is an IPv6 address, which no policy of a page can allow. The issuer needs a host name.`);
  }
  if (!window.isSecureContext) throw new Failure("Signing in with an issuer needs https: open this page at an address with https.");
  const other = window.open("", "_blank", "popup,width=520,height=700");
  if (!other) throw new Failure("The browser blocked the window of the sign-in. Allow windows for this page, and try again.");
  other.opener = null;
  return inWindow(other, issuer, signal);
}

async function inWindow(other, issuer, signal) {
  const [state, nonce, verifier] = [random(), random(), random()];
  const callback = new URL(issuer.page, import.meta.url).href;
  const address = new URL(issuer.authorization_endpoint);
  const parameters = { response_type: "code", client_id: issuer.client_id, redirect_uri: callback, scope: issuer.scopes.join(" "),
    state, nonce, code_challenge: await challengeOf(verifier), code_challenge_method: "S256" };
  for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
  if (signal.aborted) other.close();
  const answered = answerTo(state, signal);
  if (!signal.aborted) other.location.replace(address.href);
  const answer = await answered;
  check(issuer, answer);
  if (!answer.code) throw refusal(issuer, answer);
  const tokens = await exchange(issuer, { grant_type: "authorization_code", code: answer.code, redirect_uri: callback, code_verifier: verifier });
  return sessionOf(issuer, tokens, { nonce });
}

async function renew({ issuer, refresh, subject }) {
  const tokens = await exchange(issuer, { grant_type: "refresh_token", refresh_token: refresh });
  const session = sessionOf(issuer, tokens, { refresh });
  if (session.subject !== subject) throw new Failure("The new token is of another person.");
  return session;
}

/** Renews a session before its end if the issuer allows it, and tells its end. `stop` ends that; `refused` renews at once,
 *  because the gateway refuses the token. */
export function keep(session, { renewed, ended }) {
  const left = () => Math.max(0, session.endsAt - Date.now());
  const since = Date.now();
  let timer;
  let [isStopped, isRefused, isRenewing] = [false, false, false];
  const after = (milliseconds, callback) => {
    clearTimeout(timer);
    timer = setTimeout(callback, Math.min(milliseconds, LONGEST_TIMER));
  };
  const atEnd = () => after(left(), () => ended());
  // One renewal at a time: many issuers accept a refresh token once.
  async function next() {
    clearTimeout(timer);
    if (isRenewing) return;
    isRenewing = true;
    const newer = await renew(session).catch(() => null);
    isRenewing = false;
    if (isStopped) return;
    if (newer) renewed({ ...newer, wasRefused: isRefused });
    else if (isRefused) ended();
    else atEnd();
  }
  if (session.refresh === null) atEnd();
  else after(Math.max(PAUSE, left() / 2, left() - AHEAD), next);
  return {
    stop: () => { isStopped = true; clearTimeout(timer); },
    refused: () => {
      if (isStopped) return;
      // A token that is refused right after its renewal ends the session: no renewal helps.
      const isNew = Date.now() - since < PAUSE;
      if (session.refresh === null || (session.wasRefused && isNew)) ended();
      else {
        isRefused = true;
        next();
      }
    },
  };
}
