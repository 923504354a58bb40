// One operation's live steps: server-sent events, read with fetch, because EventSource can't send the token.

import { Failure, ask } from "./api.js";
import { pause, untilVisible } from "./dom.js";

/** Heartbeats arrive every 15 s: a connection that is silent for longer than this is dead. */
const SILENCE = 45_000;
/** A connection that lasted this long resets the reconnect backoff. */
const GOOD = 10_000;
const LONGEST_WAIT = 30_000;

/** Parses one message; a comment has no data. */
function read(block) {
  const message = { data: "" };
  for (const line of block.split(/\r?\n/)) {
    const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (name === "data") message.data += message.data ? `\n${value}` : value;
    else if (name) message[name] = value;
  }
  return message;
}

/** The messages of a body as they arrive; calls `heard` for every chunk. */
async function* messages(body, heard) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    heard();
    const blocks = (text + decoder.decode(value, { stream: true })).split(/\r?\n\r?\n/);
    text = blocks.pop();
    yield* blocks.map(read);
  }
}

/** Errors that a retry does not fix. */
function isDefinite(error) { return error.status >= 400 && error.status < 500 && error.status !== 429; }

/** Follows an operation until it has ended or the signal comes. `told` gets each step once, `ended` the operation at its
 *  end, `lost` the reason and the milliseconds until the next try when the connection is lost, and null when it is back. */
export async function follow(id, signal, { told, ended, lost }) {
  let [last, retry, failures] = [null, 2000, 0];
  for (;;) {
    // A hidden page holds no connection: browsers limit the connections per host.
    await untilVisible(signal);
    if (signal.aborted) return;
    const attempt = new AbortController();
    const either = AbortSignal.any([signal, attempt.signal]);
    let isHidden = false;
    document.addEventListener("visibilitychange", () => { isHidden = true; attempt.abort(); }, { signal: either });
    let silence;
    const heard = () => { clearTimeout(silence); silence = setTimeout(() => attempt.abort(), SILENCE); };
    const began = performance.now();
    let reason = null;
    try {
      heard();
      const headers = last === null ? {} : { "last-event-id": last };
      const response = await ask(`operations/${encodeURIComponent(id)}/stream`, {}, { signal: either, accept: "text/event-stream", headers });
      lost(null);
      for await (const message of messages(response.body, heard)) {
        if (message.retry) retry = Number(message.retry) || retry;
        if (!message.data) continue;
        if (message.event === "end") { ended(JSON.parse(message.data)); return; }
        told(JSON.parse(message.data));
        last = message.id;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isDefinite(error)) throw error;
      reason = error instanceof Failure ? error : new Failure("The connection to the gateway was lost.");
    } finally {
      clearTimeout(silence);
      attempt.abort();
    }
    if (isHidden) continue;
    // The gateway closes a stream after some minutes and when it stops: not a failure.
    failures = performance.now() - began > GOOD ? 0 : failures + 1;
    const longer = Math.min(LONGEST_WAIT, retry * 2 ** Math.max(0, failures - 1));
    const wait = reason?.pause(longer) ?? longer;
    if (reason) lost(reason, wait);
    await pause(wait, signal);
  }
}
