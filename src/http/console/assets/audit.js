// The audit log: filters, a chart, pages, downloads, and one event with all its columns.

import { download, get, now } from "./api.js";
import { RANGES, chart, startOf } from "./chart.js";
import { failure, h, put, save } from "./dom.js";
import { Pager, Rows, cell, filterBar, parametersOf, rememberIn, table } from "./list.js";
import { when } from "./time.js";
import { EVENTS, badge, fields, value } from "./words.js";

const FILTERS = [
  { name: "event", label: "Event", options: Object.keys(EVENTS) },
  { name: "requested_by", label: "Actor", placeholder: "key name" },
  { name: "account", label: "Account", placeholder: "name" },
  { name: "tunnel_id", label: "Tunnel", placeholder: "vpnx-…" },
  { name: "vpc_id", label: "VPC", placeholder: "vpc-…" },
  { name: "operation_id", label: "Operation", placeholder: "id", size: 14 },
  { name: "created_after", label: "From (UTC)", type: "datetime-local" },
  { name: "created_before", label: "Before (UTC)", type: "datetime-local" },
];

/** The filters as query parameters; a time without an offset is UTC. */
function query(values) {
  const moment = (text) => (text ? new Date(`${text}Z`).toISOString() : "");
  return { ...values, created_after: moment(values.created_after), created_before: moment(values.created_before) };
}

/** A short summary of an event. */
function gist(event) {
  const { changes, outcome, upstream } = event;
  if (changes?.key) return changes.key.name;
  if (changes?.refusals) return `${changes.refusals} refusals`;
  if (changes) return fields(changes).map(([name]) => name).join(", ");
  if (outcome?.verification?.differences) return `differs: ${outcome.verification.differences.map((one) => one.pointer).join(", ")}`;
  if (outcome?.verification?.reason) return outcome.verification.reason;
  // The cloud's code for success is 0.
  return [upstream?.action, upstream?.code !== "0" && (upstream?.code_desc ?? upstream?.code), upstream?.message].filter(Boolean).join(" · ");
}

function row(event) {
  return h("tr", { role: "row", "data-seq": event.seq },
    cell("Seq", { class: "number" }, h("a", { class: "open", href: `#/audit/${event.seq}` }, event.seq)),
    cell("When", {}, when(event.occurred_at)),
    cell("Event", { class: "status" }, badge(event.event, EVENTS)),
    cell("Actor", {}, event.actor),
    cell("Tunnel", {}, event.operation_id
      ? h("a", { href: `#/operations/${event.operation_id}` }, event.tunnel_id) : event.tunnel_id,
    h("span", { class: "below" }, event.vpc_id)),
    cell("Details", { class: "change" }, gist(event)));
}

/** Downloads all events that match the filters, not only this page. */
function downloads(view, values) {
  const told = h("span", { class: "muted", role: "status" });
  async function take(button, accept, name) {
    button.disabled = true;
    try {
      // A spreadsheet reads the file as UTF-8 only with a byte order mark.
      const parameters = { ...query(values()), bom: accept === "text/csv" ? "true" : undefined };
      const chunks = await download("audit-events", parameters, accept, { signal: view.signal,
        onBytes: (bytes) => { told.textContent = `${(bytes / 1024).toFixed(0)} KiB…`; } });
      save(chunks, name, accept);
      told.textContent = `Saved ${name}.`;
    } catch (error) {
      if (!view.signal.aborted) told.textContent = error.message;
    }
    button.disabled = false;
    // The button lost the focus while disabled.
    if (document.activeElement === document.body) button.focus();
  }
  const button = (text, accept, name) =>
    h("button", { type: "button", onclick: (event) => take(event.currentTarget, accept, name) }, text);
  return h("div", { class: "downloads" }, h("span", {}, "All matching events as"),
    button("CSV", "text/csv", "audit-events.csv"), button("NDJSON", "application/x-ndjson", "audit-events.ndjson"), told);
}

export function audit(view) {
  let { range = "24h", ...values } = parametersOf(location.hash);
  if (!RANGES[range]) range = "24h";
  let generation = 0;
  const trouble = h("div");
  const picture = h("div", { class: "picture" });
  const empty = h("p", { class: "empty", hidden: true }, "No matching event.");
  const list = table("Events of the audit log, newest first", ["Seq", "When", "Event", "Actor", "Tunnel", "Details"]);
  const rows = new Rows(list.body, (event) => event.seq, row);
  const pager = new Pager(() => { generation += 1; page(); });

  async function attempt(place, work) {
    const asked = generation;
    try {
      await work(() => asked === generation && !view.signal.aborted);
      place.querySelector(":scope > .notice")?.remove();
    } catch (error) {
      if (!view.signal.aborted && asked === generation) put(place, failure(error, look));
    }
  }

  const page = () => attempt(trouble, async (isWanted) => {
    const found = await get("audit-events", { ...query(values), limit: 50, cursor: pager.cursor }, { signal: view.signal });
    if (!isWanted()) return;
    rows.show(found.items, false);
    pager.reached(found.next_cursor);
    empty.hidden = found.items.length > 0;
    list.element.hidden = found.items.length === 0;
  });

  const draw = () => attempt(picture, async (isWanted) => {
    const chosen = RANGES[range];
    // The chart has its own time range, and ignores the filter on the kind of event; the other filters apply.
    const { event, created_after, created_before, ...others } = values;
    const counts = await get("audit-events/counts", { ...others, bucket: chosen.bucket, created_after: startOf(chosen, now()) }, { signal: view.signal });
    if (!isWanted()) return;
    paint = () => {
      // The table below the chart stays open and keeps the focus.
      const [isOpen, hadFocus] = [picture.querySelector("details")?.open, picture.contains(document.activeElement)];
      put(picture, chart(counts, chosen, Object.values(others).some(Boolean), picture.clientWidth));
      picture.querySelector("details").open = Boolean(isOpen);
      if (hadFocus) picture.querySelector("summary").focus();
    };
    paint();
  });

  // The drawing follows the available width, so that its labels stay legible on a phone.
  let paint = () => {};
  let width = 0;
  const observer = new ResizeObserver(() => {
    if (picture.clientWidth !== width) paint();
    width = picture.clientWidth;
  });
  observer.observe(picture);
  view.signal.addEventListener("abort", () => observer.disconnect());

  function look() { page(); draw(); }

  function changed() {
    rememberIn("/audit", { ...values, range: range === "24h" ? "" : range });
    generation += 1;
    pager.reset();
    look();
  }

  const select = h("select", { id: "range", onchange: (event) => { range = event.target.value; changed(); } },
    Object.entries(RANGES).map(([name, { label }]) => h("option", { value: name, selected: name === range }, label)));
  view.root.append(
    h("div", { class: "head" }, h("h1", { tabindex: "-1" }, "Audit log"), h("button", { type: "button", onclick: look }, "Refresh")),
    filterBar(FILTERS, values, (next) => { values = next; changed(); }),
    h("section", { class: "panel", "aria-labelledby": "over-time" }, h("div", { class: "head" },
      h("h2", { id: "over-time" }, "Changes and failures over time"), h("div", { class: "field" }, h("label", { for: "range", class: "visually-hidden" }, "Range"), select)), picture),
    downloads(view, () => values), trouble, list.element, empty, pager.element);
  look();
}

const TITLES = { changes: "Requested changes", before: "The tunnel before", sent: "Call to the cloud", outcome: "Outcome", upstream: "Cloud's answer" };

/** One event with every column. */
export async function event(view, seq) {
  const body = h("div");
  view.root.append(h("p", { class: "crumb" }, h("a", { href: "#/audit" }, "Audit log"), " /"),
    h("div", { class: "head" }, h("h1", { tabindex: "-1" }, `Event ${seq}`)), body);
  try {
    const found = await get(`audit-events/${encodeURIComponent(seq)}`, {}, { signal: view.signal });
    const { changes, before, sent, outcome, upstream, ...columns } = found;
    const shown = { event: (kind) => badge(kind, EVENTS), occurred_at: when, operation_id: (id) => id && h("a", { href: `#/operations/${id}` }, id) };
    const show = (name, content) => (content === null ? h("span", { class: "muted" }, "–") : shown[name]?.(content) ?? h("code", {}, String(content)));
    put(body, h("dl", { class: "columns-of-event" }, Object.entries(columns).map(([name, content]) => h("div", {}, h("dt", {}, name), h("dd", {}, show(name, content))))),
      Object.entries({ changes, before, sent, outcome, upstream }).filter(([, content]) => content !== null).map(([name, content]) =>
        h("section", { class: "panel" }, h("h2", {}, TITLES[name]), value(content))),
      h("nav", { class: "pager", "aria-label": "Adjacent events" },
        found.seq > 1 && h("a", { class: "button", href: `#/audit/${found.seq - 1}` }, `Event ${found.seq - 1}`),
        h("a", { class: "button", href: `#/audit/${found.seq + 1}` }, `Event ${found.seq + 1}`)));
  } catch (error) {
    if (view.signal.aborted) return;
    put(body, error.status === 404
      ? h("p", { class: "notice", role: "alert" }, "This event does not exist yet, or your token may not read it.") : failure(error));
  }
}
