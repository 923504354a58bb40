// One operation: the requested changes, and each step live.

import { get } from "./api.js";
import { announce, failure, h, put } from "./dom.js";
import { keepUp } from "./list.js";
import { hashOf } from "./paths.js";
import { offer } from "./rollback.js";
import { follow } from "./stream.js";
import { between, lasting, until, when } from "./time.js";
import { Timeline } from "./timeline.js";
import { cloudWords, differences, fields, icon, isFinal, statusOf, value, words } from "./words.js";

/** An element that is redrawn only if its values have changed. */
function place(name, attributes, draw) {
  const element = h(name, attributes);
  let shown;
  return { element, show(...what) {
    const text = JSON.stringify(what);
    if (text !== shown) put(element, draw(...what));
    shown = text;
  } };
}

function facts(isRollback) {
  const code = (text) => h("code", {}, text);
  const list = [
    ["Tunnel", (it) => [it.tunnel], (tunnel) => h("a", { href: hashOf(tunnel) }, code(tunnel.tunnel_id))],
    ["VPC", (it) => [it.tunnel.vpc_id], code],
    ["Gateway", (it) => [it.tunnel.gateway_id], code],
    ["Account", (it) => [it.account, it.region, it.api], (account, region, api) => [account, h("span", { class: "muted" }, ` (${region}, API ${api})`)]],
    ["Requested by", (it) => [it.requested_by], (name) => name],
    ["Opened", (it) => [it.created_at], when],
    ["Duration", (it) => [it.created_at, it.finished_at], (start, end) => (end ? between(start, end) : [lasting(start), " so far"])],
    ["Reason", (it) => [it.reason], (reason) => reason ?? h("span", { class: "muted" }, "none")],
    ["Cloud task", (it) => [it.task_id], (task) => (task ? code(task) : h("span", { class: "muted" }, "none"))],
    ["Operation", (it) => [it.id], code, "wide"],
    isRollback && ["Rolls back", (it) => [it.rollback_of], (id) => h("a", { href: `#/operations/${id}` }, code(id)), "wide"],
  ].filter(Boolean).map(([name, take, draw, width]) => ({ name, take, width, shown: place("dd", {}, draw) }));
  const element = h("dl", { class: "facts" },
    list.map(({ name, width, shown }) => h("div", { class: width }, h("dt", {}, name), shown.element)));
  return { element, show(operation) { for (const { take, shown } of list) shown.show(...take(operation)); } };
}

function asked(changes, before) {
  const had = new Map(before ? fields(before) : []);
  return h("table", { class: "asked" },
    h("caption", {}, "Requested"),
    before && h("thead", {}, h("tr", {}, ["Field", "Before", "Requested"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, fields(changes).map(([name, what]) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, name)),
      before && h("td", {}, had.has(name) ? value(had.get(name)) : h("span", { class: "muted" }, "not shown")), h("td", {}, value(what))))));
}

function verification(result) {
  if (!result) return [];
  if (result.result === "confirmed") {
    return [h("div", { class: "notice good" }, h("p", {}, icon("good"), "Read back: the tunnel has every requested value."))];
  }
  if (result.result === "diverged") {
    return [h("div", { class: "notice warn" }, h("p", {}, icon("warn"), "Read back: the cloud reported success, but the tunnel does not have the requested values."),
      differences(result.differences))];
  }
  return [h("div", { class: "notice" }, h("p", {}, icon("quiet"), `The tunnel could not be read back${result.reason ? `: ${result.reason}` : "."}`))];
}

function fault(error, status) {
  if (!error) return [];
  const tone = status === "unknown" ? "warn" : "bad";
  return [h("div", { class: `notice ${tone}` },
    h("p", {}, icon(tone), h("strong", {}, words(error.code)), ` – ${error.detail}`),
    cloudWords(error.upstream))];
}

/** The parts of the view, built once; updates touch only changed parts. */
function parts({ changes, before, rollback_of }, timeline, mayReadLog) {
  const known = facts(rollback_of !== null);
  const back = h("div");
  const wrong = place("div", {}, fault);
  const read = place("div", {}, verification);
  const elements = [known.element, wrong.element, read.element,
    h("div", { class: "columns" },
      h("section", { "aria-labelledby": "steps" }, h("h2", { id: "steps" }, "Timeline"), timeline.element,
        !mayReadLog && h("p", { class: "muted note-below" }, "The audit log also has the request's origin and the cloud's answers, but your token lacks the scope ", h("code", {}, "audit:read"), ".")),
      h("section", { "aria-labelledby": "changes" }, h("h2", { id: "changes" }, "Change"), asked(changes, before), back))];
  return { elements, back, show(operation) {
    known.show(operation);
    wrong.show(operation.error, operation.status);
    read.show(operation.verification);
  } };
}

export function operation(view, id) {
  const heading = h("h1", { tabindex: "-1" }, "Operation");
  const status = place("span", { class: "status" }, statusOf);
  const live = h("p", { class: "live" });
  const trouble = h("div");
  const body = h("div");
  let current = null;
  let page = null;
  let timeline = null;
  let isOffered = false;

  const read = () => get(`operations/${encodeURIComponent(id)}`, {}, { signal: view.signal });

  function show(operation) {
    current = operation;
    status.show({ status: operation.status, verification: operation.verification });
    page.show(operation);
    if (isFinal(operation.status)) {
      timeline.ends();
      if (!isOffered) offer(page.back, operation, view.signal);
      isOffered = true;
    } else timeline.moves(operation.status, operation.updated_at);
  }

  function begin(operation) {
    timeline = new Timeline(view.mayReadLog);
    isOffered = false;
    page = parts(operation, timeline, view.mayReadLog);
    put(heading, operation.tunnel.tunnel_id, " ", status.element);
    put(body, page.elements);
    document.title = `${operation.tunnel.tunnel_id} – tunnelgate`;
    show(operation);
  }

  /** While the outcome is unknown, a step has more details than the operation. */
  async function lookAgain() {
    const operation = await read().catch(() => null);
    if (operation && !isFinal(current.status)) show(operation);
  }

  function told(step, opened) {
    if (timeline.has(step.seq)) return;
    const isNew = step.at > opened;
    timeline.add(step, isNew);
    if (!isNew) return;
    announce(`${current.tunnel.tunnel_id}: ${words(step.event)}`);
    // The message `end` delivers the final operation.
    if (isFinal(step.status)) return;
    if (step.status !== current.status) lookAgain();
    show({ ...current, status: step.status });
  }

  /** Adds the audit log's details to the steps; the steps are complete without them. */
  async function enrich() {
    if (!view.mayReadLog) return;
    const found = await get("audit-events", { operation_id: id, limit: 200 }, { signal: view.signal }).catch(() => null);
    for (const event of found?.items ?? []) timeline.enrich(event);
  }

  function connection(reason, wait) {
    if (isFinal(current.status) && reason === null) return;
    live.className = reason === null ? "live on" : "live";
    put(live, h("span", { class: "dot", "aria-hidden": "true" }), h("span", {}, reason === null ? "Live." : [reason.message, " Retrying ", until(wait), "."]));
  }

  async function look() {
    const operation = await read();
    put(trouble);
    begin(operation);
    if (!isFinal(operation.status)) enrich();
    await follow(id, view.signal, {
      told: (step) => told(step, operation.updated_at),
      ended: (last) => { show(last); enrich(); },
      lost: connection,
    });
    live.className = "live";
    put(live);
    return null;
  }

  view.root.append(h("p", { class: "crumb" }, h("a", { href: "#/operations" }, "Operations"), " /"),
    h("div", { class: "head" }, heading, live), trouble, body);
  const wake = keepUp(view.signal, async () => {
    try {
      return await look();
    } catch (missing) {
      if (missing.status !== 404) throw missing;
      put(trouble, h("p", { class: "notice bad", role: "alert" }, "This operation does not exist, or your token may not read it."));
      return null;
    }
  }, (failed) => put(trouble, failure(failed, () => wake())));
}
