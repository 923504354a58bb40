// Requests to the service. Only this module's memory holds the token, never storage, a cookie or a URL. A reload removes
// it.

let token = null;
let whenRefused = () => false;
/** While set, requests wait: the session has ended, and may be renewed. */
let waiting = null;
/** Grows with each sign-out: requests that waited are not sent for the next person. */
let departures = 0;
let skew = 0;
let pace = 0;

/** An error answer, or a missing answer. The message is a sentence for the reader. */
export class Failure extends Error {
  constructor(message, { status = 0, code = "", requestId = "", faults = [], differences = [], operationId = null, retryAfter = 0 } = {}) {
    super(message);
    Object.assign(this, { status, code, requestId, faults, differences, operationId, retryAfter });
  }

  /** Milliseconds until a retry makes sense; an exhausted rate limit names them. */
  pause(otherwise) { return this.status === 429 ? 1000 * Math.max(1, this.retryAfter) : Math.max(otherwise, 1000 * this.retryAfter); }
}

/** Sets the token. Refuses a token that a header can't contain: the browser's own error would not name the reason. */
export function signIn(secret) {
  if (/[^\x21-\x7e]/.test(secret)) throw new Failure("This is not a token: it contains invalid characters.");
  token = secret;
  goOn();
}
export function signOut() {
  token = null;
  departures += 1;
  goOn();
}
export function isSignedIn() { return token !== null; }

/** Lets requests wait for the next token. */
export function suspend() {
  if (waiting) return;
  let open;
  waiting = new Promise((resolve) => { open = resolve; });
  waiting.open = open;
}

function goOn() {
  waiting?.open();
  waiting = null;
}

/** Waits while requests are suspended; an abort signal ends the wait with its reason. */
async function unsuspended(signal) {
  while (waiting) {
    await Promise.race([waiting, new Promise((resolve) => signal?.addEventListener("abort", resolve, { once: true }))]);
    signal?.throwIfAborted();
  }
}

/** Calls back when the token is no longer valid. The callback returns true if the request shall wait for another one. */
export function onRefused(callback) { whenRefused = callback; }

/** The current time of the service's clock, so that a wrong clock on this machine does not shift "3 min ago". */
export function now() { return Date.now() + skew; }

/** Learns the service's clock from an answer of it. */
export function learnClock(response) {
  const theirs = Date.parse(response.headers.get("date") ?? "");
  const difference = theirs - Date.now();
  // The header counts whole seconds.
  if (Number.isFinite(difference)) skew = Math.abs(difference) > 2000 ? difference : 0;
}

/** A polling interval that uses up to a quarter of the token's rate limit and leaves the rest to other clients. */
export function gentle(milliseconds) { return Math.max(milliseconds, pace); }

function learnPace(response) {
  const [, count, seconds] = /"default";q=(\d+);w=(\d+)/.exec(response.headers.get("ratelimit-policy") ?? "") ?? [];
  if (Number(count) > 0) pace = 4 * 1000 * seconds / count;
}

function sentence(text) {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(whole) ? whole : `${whole}.`;
}

async function failureOf(response) {
  const about = { status: response.status, requestId: response.headers.get("x-request-id") ?? "",
    retryAfter: Number(response.headers.get("retry-after")) || 0 };
  try {
    const problem = await response.json();
    return new Failure(sentence(problem.detail ?? problem.title),
      { ...about, code: problem.code, requestId: problem.request_id ?? about.requestId, faults: problem.errors ?? [],
        differences: problem.differences ?? [], operationId: problem.operation_id ?? null });
  } catch {
    return new Failure(`The gateway, or a proxy in front of it, answered ${response.status} without a reason.`, about);
  }
}

/** The successful response of a GET, or of a POST if there is a body and no other method. */
export async function ask(path, parameters = {}, { method, signal, accept = "application/json", headers = {}, body, began = departures } = {}) {
  const address = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== "") address.searchParams.set(name, value);
  }
  await unsuspended(signal);
  const used = token;
  if (used === null || began !== departures) throw new Failure("You are signed out.");
  let response;
  try {
    const either = method ?? (body === undefined ? "GET" : "POST");
    response = await fetch(address, { method: either, body, headers: { ...headers, authorization: `Bearer ${used}`, accept }, signal,
      cache: "no-store", credentials: "omit", redirect: "error" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Failure("The gateway is unreachable.");
  }
  learnClock(response);
  learnPace(response);
  if (response.ok) return response;
  const failure = await failureOf(response);
  // Only a 401 for the current token ends the session: a late answer for an earlier token does not.
  if (response.status === 401 && used === token && whenRefused(failure)) {
    // Nothing was done without a valid token, so the request can be sent again with the next one.
    return ask(path, parameters, { method, signal, accept, headers, body, began });
  }
  throw failure;
}

/** The JSON of a GET. */
export async function get(path, parameters, options) {
  const response = await ask(path, parameters, options);
  try {
    return await response.json();
  } catch (error) {
    if (options?.signal?.aborted) throw error;
    throw new Failure("The gateway's answer ended early.");
  }
}

/** The JSON of the answer to a POST, or to another method with a body. */
export function post(path, parameters, { body = {}, headers = {}, ...options } = {}) {
  return get(path, parameters, { ...options, body: JSON.stringify(body), headers: { ...headers, "content-type": "application/json" } });
}

/** The bytes of a GET; reports the progress. */
export async function download(path, parameters, accept, { signal, onBytes }) {
  const response = await ask(path, parameters, { signal, accept });
  const chunks = [];
  let size = 0;
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return chunks;
      chunks.push(value);
      size += value.length;
      onBytes(size);
    }
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Failure("The download ended early. Nothing was saved, because the file would be incomplete.");
  }
}
