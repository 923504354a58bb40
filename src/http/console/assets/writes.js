// Writes that are carried out once. A request whose answer is lost may have arrived: until its answer is known, the same request
// with the same Idempotency-Key is the only one that is sent about its tunnel.

import { Failure, now, post } from "./api.js";
import { pathOf, rollbackOf } from "./paths.js";
import * as unanswered from "./unanswered.js";

/** Time limit of a write, in milliseconds; the gateway answers much earlier. */
const LIMIT = 60_000;

function newKey() {
  // crypto.randomUUID needs HTTPS.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** True if the error of a first try leaves open whether the request was carried out. */
function isOpen({ status, code, operationId }) {
  // With these answers of the gateway nothing was carried out, and the key is not used up.
  const isRefused = status === 503 && code !== "" && code !== "ledger_unavailable";
  return code === "idempotency_key_in_flight" || ((status === 0 || status >= 500) && !operationId && !isRefused);
}

/** The same of a retry: only what the gateway answers after it has looked for the key says something about the first try. Another
 *  pre-shared key says nothing about the right one, and one that is no key is refused before the gateway looks. */
function isStillOpen({ status, code, operationId }, isTyped) {
  if (code === "idempotency_key_in_flight" || code === "idempotency_key_reused") return true;
  if (code === "invalid_patch" && isTyped) return true;
  return !operationId && ![409, 412, 422].includes(status);
}

async function deliver({ key, tunnel, operation, parameters, etag, body }, leavesOpen) {
  const [path, method] = operation === null ? [pathOf(tunnel), "PATCH"] : [rollbackOf(operation), "POST"];
  const headers = { "idempotency-key": key, ...(etag && { "if-match": etag }) };
  try {
    const answer = await post(path, parameters, { method, body, headers, signal: AbortSignal.timeout(LIMIT) });
    unanswered.drop(key);
    return answer;
  } catch (error) {
    const failure = error instanceof Failure ? error : new Failure("The gateway did not answer in time.");
    failure.isOpen = leavesOpen(failure);
    if (!failure.isOpen) unanswered.drop(key);
    throw failure;
  }
}

/** Sends a change of a tunnel, or the rollback of an operation on it, and returns the JSON of the answer. The error's `isOpen` says
 *  whether the request may have been carried out all the same; `entry` is for [`again`]. */
export async function send({ tunnel, operation = null, parameters, etag = null, body }) {
  const { vpc_id, gateway_id, tunnel_id } = tunnel;
  const entry = { key: newKey(), sent: now(), tunnel: { vpc_id, gateway_id, tunnel_id }, operation, parameters, etag, body };
  const kept = unanswered.keep(entry);
  try {
    return await deliver(entry, isOpen);
  } catch (failure) {
    throw Object.assign(failure, { entry: unanswered.find(entry.key) ?? kept });
  }
}

/** Sends a request without a known answer again: the same one, so the gateway carries it out once. `secret` is its pre-shared key,
 *  typed again if the page has forgotten it. */
export function again(entry, secret) {
  const isTyped = entry.needsKey && entry.secret === undefined;
  const body = entry.needsKey ? { ...entry.body, pre_shared_key: secret } : entry.body;
  return deliver({ ...entry, body }, (failure) => isStillOpen(failure, isTyped));
}
