// Speaking to the service. The token lives in this module's memory and nowhere else: not in storage, not in a cookie, not
// in an address. A reload forgets it.

let token = null;
let whenRefused = () => {};
let skew = 0;
let pace = 0;

/** An answer that is no success, or no answer at all. Its message is a sentence for people. */
export class Failure extends Error {
  constructor(message, { status = 0, code = "", requestId = "", faults = [], retryAfter = 0 } = {}) {
    super(message);
    Object.assign(this, { status, code, requestId, faults, retryAfter });
  }

  /** Milliseconds until it makes sense to ask again. A limit that is used up says so itself. */
  pause(otherwise) { return this.status === 429 ? 1000 * Math.max(1, this.retryAfter) : Math.max(otherwise, 1000 * this.retryAfter); }
}

/** Takes a token. One that no header can carry is refused here: the browser would only say that it can't send it. */
export function signIn(secret) {
  if (/[^\x21-\x7e]/.test(secret)) throw new Failure("That is no token: it holds characters that no token has.");
  token = secret;
}
export function signOut() { token = null; }
export function isSignedIn() { return token !== null; }

/** Calls back when the service does not take the token any more. */
export function onRefused(callback) { whenRefused = callback; }

/** Now, by the service's clock: a wrong clock on this machine does not shift "3 min ago". */
export function now() { return Date.now() + skew; }

function learnClock(response) {
  const theirs = Date.parse(response.headers.get("date") ?? "");
  const difference = theirs - Date.now();
  // The header counts whole seconds.
  if (Number.isFinite(difference)) skew = Math.abs(difference) > 2000 ? difference : 0;
}

/** A wait between two looks that leaves most of the token's rate limit to others: a quarter of it at the most is spent. */
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
      { ...about, code: problem.code, requestId: problem.request_id ?? about.requestId, faults: problem.errors ?? [] });
  } catch {
    return new Failure(`The gateway, or something in front of it, answered ${response.status} without saying why.`, about);
  }
}

/** The response of a GET, once it is known to be a success. */
export async function ask(path, parameters = {}, { signal, accept = "application/json", headers = {} } = {}) {
  const address = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== "") address.searchParams.set(name, value);
  }
  const used = token;
  let response;
  try {
    response = await fetch(address, { headers: { ...headers, authorization: `Bearer ${used}`, accept }, signal,
      cache: "no-store", credentials: "omit", redirect: "error" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Failure("The gateway can't be reached.");
  }
  learnClock(response);
  learnPace(response);
  if (response.ok) return response;
  const failure = await failureOf(response);
  // Only the token in use can end the session: a late answer for an earlier one says nothing about it.
  if (response.status === 401 && used === token && used !== null) whenRefused(failure);
  throw failure;
}

/** The JSON of a GET. */
export async function get(path, parameters, options) {
  const response = await ask(path, parameters, options);
  try {
    return await response.json();
  } catch (error) {
    if (options?.signal?.aborted) throw error;
    throw new Failure("The gateway's answer broke off.");
  }
}

/** The bytes of a GET, told about as they come. */
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
    throw new Failure("The download broke off. Nothing was saved: a part must not be taken for the whole.");
  }
}
