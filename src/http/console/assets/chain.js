// The hash chain: the newest checkpoint and the verification.

import { Failure, get } from "./api.js";
import { announce, failure, h, pause, put, save } from "./dom.js";
import { exact, when } from "./time.js";
import { icon } from "./words.js";

const PATIENCE = 20;

/** Verifies a segment of the chain; waits while another client's verification is in progress. */
async function stretch(parameters, signal) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await get("audit-events/verification", parameters, { signal });
    } catch (error) {
      if (error.status !== 429 || attempt === PATIENCE) throw error;
      await pause(1000 * Math.max(1, error.retryAfter), signal);
      signal.throwIfAborted();
    }
  }
}

function verdict(tone, ...children) {
  return h("div", { class: `notice verdict ${tone}`, role: "status" }, h("p", {}, icon(tone), children));
}

function broken(found, before) {
  return [
    verdict("bad", h("strong", {}, `The chain is broken at event ${found.seq}`), ` – ${found.why}.`),
    h("p", {}, before > 0 ? `Events 1 to ${before} are whole. ` : "", h("a", { href: `#/audit/${found.seq}` }, `Show event ${found.seq}`),
      ". Preserve the database, and compare it with a backup and with your checkpoints."),
  ];
}

function number(count) { return count.toLocaleString("en").replaceAll(",", "\u202f"); }

/** The button that verifies the whole chain, segment by segment. */
function checker(view, newest) {
  const outcome = h("div");
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Verified events" });
  const told = h("span", { class: "muted" });
  const progress = h("div", { class: "progress", hidden: true }, bar, told);
  let running = null;

  async function check(signal) {
    let [after, events] = [{}, 0];
    const total = newest().seq;
    for (;;) {
      const found = await stretch(after, signal);
      // A broken segment does not report how many of its events are whole.
      if (found.result === "broken") return put(outcome, broken(found, Math.max(0, found.seq - 1)));
      events += found.events;
      if (found.complete || found.last === null) {
        announce(`Whole: ${events} events.`);
        return put(outcome, verdict("good", h("strong", {}, `Whole: ${number(events)} ${events === 1 ? "event" : "events"}`),
          found.last && [`, the newest is event ${found.last.seq} of ${exact(found.last.at, 0)} UTC. Every hash was just recomputed.`]));
      }
      after = { after_seq: found.last.seq, after_hash: found.last.hash };
      bar.value = Math.min(1, found.last.seq / Math.max(1, total));
      told.textContent = `${number(found.last.seq)} of ${number(Math.max(total, found.last.seq))} events`;
    }
  }

  async function pressed() {
    if (running) { running.abort(); return; }
    running = new AbortController();
    view.signal.addEventListener("abort", () => running?.abort(), { once: true });
    button.textContent = "Stop";
    [bar.value, told.textContent, progress.hidden] = [0, "", false];
    put(outcome);
    try {
      await check(running.signal);
    } catch (error) {
      if (running.signal.aborted) put(outcome, verdict("quiet", "Stopped: the remaining events were not verified."));
      else put(outcome, failure(error));
    }
    running = null;
    progress.hidden = true;
    button.textContent = "Verify the chain";
  }

  const button = h("button", { type: "button", class: "primary", id: "verify", onclick: pressed }, "Verify the chain");
  return h("section", { class: "panel" }, h("h2", {}, "Verify the chain"),
    h("p", {}, "Recomputes every hash from the first event to the newest, on the server and in short calls. This detects a row that was changed, removed, inserted or moved."),
    h("p", {}, button), progress, outcome);
}

/** Compares the log with a saved checkpoint. */
function comparison(view) {
  const outcome = h("div");
  const text = h("textarea", { id: "kept", rows: 3, spellcheck: "false", placeholder: '{"seq": 42, "hash": "…", "at": "…"}' });
  async function compare(event) {
    event.preventDefault();
    put(outcome);
    try {
      let kept;
      try { kept = JSON.parse(text.value); } catch { throw new Failure("This is not a checkpoint: paste the JSON that the button above saves."); }
      const found = await stretch({ after_seq: kept?.seq ?? "0", after_hash: kept?.hash ?? "-", max_events: 1 }, view.signal);
      put(outcome, ...(found.result === "broken"
        ? [verdict("bad", h("strong", {}, "The log no longer contains this event"), ` – ${found.why} (event ${found.seq}).`)]
        : [verdict("good", h("strong", {}, `Event ${kept.seq} matches the checkpoint`), ". Verify the chain as well: together they prove that no earlier event was changed.")]));
    } catch (error) {
      if (!view.signal.aborted) put(outcome, failure(error));
    }
  }
  return h("details", { class: "panel" }, h("summary", {}, "Compare with a saved checkpoint"),
    h("p", {}, "An attacker who can rewrite the whole table can compute a new chain. A checkpoint from outside the database detects that, and a truncated log."),
    h("form", { onsubmit: compare }, h("label", { for: "kept" }, "Checkpoint"), text, h("p", {}, h("button", { type: "submit" }, "Compare"))), outcome);
}

export async function chain(view) {
  let newest = null;
  const place = h("section", { class: "panel" });
  const rest = h("div");

  async function look() {
    try {
      newest = await get("audit-events/checkpoint", {}, { signal: view.signal });
      const hadFocus = place.contains(document.activeElement);
      put(place, h("h2", {}, "Newest checkpoint"),
        h("dl", { class: "facts" }, h("div", {}, h("dt", {}, "Event"), h("dd", {}, h("a", { href: `#/audit/${newest.seq}` }, number(newest.seq)))),
          h("div", {}, h("dt", {}, "At"), h("dd", {}, when(newest.at))),
          h("div", { class: "wide" }, h("dt", {}, "SHA-256"), h("dd", {}, h("code", { class: "hash" }, newest.hash)))),
        h("p", {}, h("button", { type: "button", onclick: () => save(`${JSON.stringify(newest)}\n`, `checkpoint-${newest.seq}.json`, "application/json") }, "Save"),
          " ", h("button", { type: "button", class: "refresh", onclick: look }, "Refresh"),
          h("span", { class: "muted beside" }, "Keep it where the database's owner can't write.")));
      if (hadFocus) place.querySelector(".refresh").focus();
      if (rest.childElementCount === 0) rest.append(checker(view, () => newest), comparison(view));
    } catch (error) {
      if (view.signal.aborted) return;
      put(place, error.status === 404
        ? h("p", {}, "The audit log is empty: there is nothing to verify yet.") : failure(error, look));
    }
  }

  view.root.append(h("div", { class: "head" }, h("h1", { tabindex: "-1" }, "Chain")),
    h("p", { class: "lead" }, "Each event of the audit log contains the hash of the previous event. This makes tampering evident, not impossible."), place, rest);
  await look();
}
