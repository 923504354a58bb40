// Which VPCs the token may change, as far as the gateway has told.

import { post } from "./api.js";

const known = new Map();

/** Forgets what an earlier token may do. */
export function forget() { known.clear(); }

export function isReadOnly(vpc) { return known.get(vpc) === false; }

export function setReadOnly(vpc) { known.set(vpc, false); }

/** Whether the token may change a tunnel. A dry run of a change without fields tells: nothing is read, sent or recorded. */
export async function mayChange(path, vpc, signal) {
  if (!known.has(vpc)) {
    const error = await post(path, { dry_run: true }, { method: "PATCH", signal }).then(() => null, (failed) => failed);
    if (signal.aborted) return false;
    // Only a refusal of the change itself, or of the right to make it, tells.
    if (error && ![403, 422].includes(error.status)) throw error;
    known.set(vpc, error?.status !== 403);
  }
  return known.get(vpc);
}
