// Writes that are carried out once. A request whose answer is lost may have arrived: until its answer is known, the same request
// with the same Idempotency-Key is the only one that is sent about its subject.

import { Failure, post } from "./api.js";

/** Time limit of a write, in milliseconds; the gateway answers much earlier. */
const LIMIT = 60_000;

/** The requests without a known answer, by their subjects. They outlive the dialog and the view that sent them. */
const unanswered = new Map();

function newKey() {
  // crypto.randomUUID needs HTTPS.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The request about this subject whose answer is not known. */
export function unansweredAt(subject) { return unanswered.get(subject) ?? null; }

/** Forgets the requests of an earlier token. */
export function forget() { unanswered.clear(); }

/** True if the error leaves open whether the request was carried out. */
function isOpen({ status, code, operationId }) {
  // With these answers of the gateway nothing was carried out, and the key is not used up.
  const isRefused = status === 503 && code !== "" && code !== "ledger_unavailable";
  return code === "idempotency_key_in_flight" || ((status === 0 || status >= 500) && !operationId && !isRefused);
}

/** Sends a write and returns the JSON of its answer. While an earlier request about the subject has no known answer, sends that
 *  one instead. The `isOpen` of an error says whether the answer is still unknown. */
export async function once(subject, { path, parameters, method, body, headers }) {
  const request = unanswered.get(subject) ?? { path, parameters, method, body, headers: { ...headers, "idempotency-key": newKey() } };
  unanswered.set(subject, request);
  try {
    const answer = await post(request.path, request.parameters, { ...request, signal: AbortSignal.timeout(LIMIT) });
    // A request of an earlier token is forgotten already; another one may have its place.
    if (unanswered.get(subject) === request) unanswered.delete(subject);
    return answer;
  } catch (error) {
    const failure = error instanceof Failure ? error : new Failure("The gateway did not answer in time.");
    failure.isOpen = isOpen(failure);
    if (!failure.isOpen && unanswered.get(subject) === request) unanswered.delete(subject);
    throw failure;
  }
}

/** What to say about a write without a known answer. */
export const MAY_HAVE_ARRIVED = "The gateway may have received it. Trying again is safe: it is never sent twice.";
