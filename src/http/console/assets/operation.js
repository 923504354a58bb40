// One operation: what was asked for, and each step with its time.

import { get } from "./api.js";
import { announce, failure, h, put } from "./dom.js";
import { keepUp } from "./list.js";
import { between, exact, lasting, when } from "./time.js";
import { EVENTS, STATUSES, cloudWords, differences, fields, icon, isFinal, statusOf, value, words } from "./words.js";

const LOOK_AGAIN = 1000;

function facts(operation) {
  const { tunnel } = operation;
  const list = [
    ["VPC", h("code", {}, tunnel.vpc_id)],
    ["Gateway", h("code", {}, tunnel.gateway_id)],
    ["Asked by", operation.requested_by],
    ["Opened", when(operation.created_at)],
    ["Took", operation.finished_at ? between(operation.created_at, operation.finished_at)
      : [lasting(operation.created_at), " so far"]],
    operation.task_id && ["Cloud task", h("code", {}, operation.task_id)],
    ["Operation", h("code", {}, operation.id), "wide"],
  ].filter(Boolean);
  return h("dl", { class: "facts" }, list.map(([name, fact, width]) => h("div", { class: width }, h("dt", {}, name), h("dd", {}, fact))));
}

function asked(changes) {
  return h("table", { class: "asked" },
    h("caption", {}, "Asked for"),
    h("tbody", {}, fields(changes).map(([name, what]) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, name)), h("td", {}, value(what))))));
}

function verification(result) {
  if (!result) return null;
  if (result.result === "confirmed") {
    return h("div", { class: "notice good" }, h("p", {}, icon("good"), "Read back: the tunnel has everything as asked."));
  }
  if (result.result === "diverged") {
    return h("div", { class: "notice warn" }, h("p", {}, icon("warn"), "Read back: the cloud reported success, but the tunnel is not as asked."),
      differences(result.differences));
  }
  return h("div", { class: "notice" }, h("p", {}, icon("quiet"), `It could not be read back${result.reason ? `: ${result.reason}` : "."}`));
}

function error(operation) {
  if (!operation.error) return null;
  const tone = operation.status === "unknown" ? "warn" : "bad";
  return h("div", { class: `notice ${tone}` },
    h("p", {}, icon(tone), h("strong", {}, words(operation.error.code)), ` – ${operation.error.detail}`),
    cloudWords(operation.error.upstream));
}

/** The steps that an operation itself tells of, for those who may not read the log. */
function stepsOf(operation) {
  const steps = [{ event: "requested", occurred_at: operation.created_at }];
  if (operation.finished_at) steps.push({ event: operation.status, occurred_at: operation.finished_at });
  else if (operation.status !== "pending") steps.push({ event: operation.status === "running" ? "submitted" : "outcome_unknown", occurred_at: operation.updated_at });
  return steps;
}

function step(event, before, first) {
  const known = EVENTS[event.event] ?? { tone: "quiet", says: "" };
  const found = event.upstream?.verification;
  return h("li", { class: known.tone, "data-event": event.event },
    h("div", { class: "mark" }, icon(known.tone)),
    h("div", { class: "step" },
      h("h3", {}, words(event.event), event.seq && h("a", { class: "seq", href: `#/audit/${event.seq}`, "aria-label": `Event ${event.seq} of the audit log` }, `#${event.seq}`)),
      h("p", {}, known.says),
      h("p", { class: "times" }, h("time", { datetime: event.occurred_at }, `${exact(event.occurred_at)} UTC`),
        before && h("span", { class: "gap" }, `+${between(before.occurred_at, event.occurred_at)}`),
        before && before !== first && h("span", { class: "muted" }, `${between(first.occurred_at, event.occurred_at)} after the start`),
        event.source_ip && h("span", { class: "muted" }, `from ${event.source_ip}${event.user_agent ? ` (${event.user_agent})` : ""}`)),
      cloudWords(event.upstream),
      // In the operation's own words above, unless it failed after reading back.
      found?.result === "diverged" && event.event !== "verification_diverged" && differences(found.differences)));
}

function timeline(operation, events) {
  const items = events.map((event, index) => step(event, events[index - 1], events[0]));
  if (!isFinal(operation.status)) {
    items.push(h("li", { class: "moving" }, h("div", { class: "mark" }, icon("moving")),
      h("div", { class: "step" }, h("h3", {}, operation.status === "unknown" ? "finding out" : "under way"),
        h("p", {}, STATUSES[operation.status]?.says ?? ""),
        h("p", { class: "times" }, "for ", lasting(events.at(-1).occurred_at)))));
  }
  return h("ol", { class: "timeline" }, items);
}

export function operation(view, id) {
  const heading = h("h1", { tabindex: "-1" }, "Operation");
  const trouble = h("div");
  const body = h("div");
  let mayReadLog = true;
  let shown = "";
  let status = null;

  async function eventsOf() {
    if (!mayReadLog) return null;
    try {
      const page = await get("audit-events", { operation_id: id, limit: 200 }, { signal: view.signal });
      return page.items.reverse();
    } catch (refused) {
      if (refused.status !== 403) throw refused;
      mayReadLog = false;
      return null;
    }
  }

  function show(found, events) {
    put(heading, found.tunnel.tunnel_id, " ", h("span", { class: "status" }, statusOf(found)));
    put(body, facts(found), error(found), verification(found.verification),
      h("div", { class: "columns" },
        h("section", { "aria-labelledby": "steps" }, h("h2", { id: "steps" }, "Timeline"),
          events === null && h("p", { class: "notice" }, "Only what the operation itself tells: each step with the cloud's words stands in the audit log, and your token lacks the scope ", h("code", {}, "audit:read"), "."),
          timeline(found, events ?? stepsOf(found))),
        h("section", { "aria-labelledby": "changes" }, h("h2", { id: "changes" }, "Change"), asked(found.changes))));
  }

  async function look() {
    const found = await get(`operations/${encodeURIComponent(id)}`, {}, { signal: view.signal });
    const events = await eventsOf();
    put(trouble);
    const text = JSON.stringify([found, events]);
    if (text !== shown) show(found, events);
    shown = text;
    if (status !== null && status !== found.status) announce(`${found.tunnel.tunnel_id}: ${words(found.status)}`);
    status = found.status;
    // The events were read after the operation: once it is final they are all there.
    return isFinal(found.status) ? null : LOOK_AGAIN;
  }

  view.root.append(h("p", { class: "crumb" }, h("a", { href: "#/operations" }, "Operations"), " /"),
    h("div", { class: "head" }, heading), trouble, body);
  const wake = keepUp(view.signal, look, (failed) => {
    const isMissing = failed.status === 404;
    put(trouble, isMissing
      ? h("p", { class: "notice bad", role: "alert" }, "There is no such operation, or not one that your token may see.")
      : failure(failed, () => wake()));
  });
}
