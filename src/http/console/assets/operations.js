// The live list of operations, newest first.

import { gentle, get } from "./api.js";
import { announce, failure, h, put } from "./dom.js";
import { Pager, Rows, cell, filterBar, keepUp, parametersOf, rememberIn, table } from "./list.js";
import { between, lasting, until, when } from "./time.js";
import { STATUSES, fields, isFinal, statusOf, words } from "./words.js";

// The shortest polling intervals; the key's rate limit can lengthen them.
const BUSY = 3000;
const CALM = 5000;

const FILTERS = [
  { name: "status", label: "Status", options: Object.keys(STATUSES) },
  { name: "tunnel_id", label: "Tunnel", placeholder: "vpnx-…" },
  { name: "vpc_id", label: "VPC", placeholder: "vpc-…" },
  { name: "requested_by", label: "Requested by", placeholder: "key name" },
  { name: "account", label: "Account", placeholder: "name" },
];

function row(operation) {
  const { id, tunnel, changes } = operation;
  const names = fields(changes).map(([name]) => name);
  return h("tr", { role: "row", "data-operation": id },
    cell("Status", { class: "status" }, statusOf(operation)),
    cell("Tunnel", {}, h("a", { class: "open", href: `#/operations/${id}` }, tunnel.tunnel_id),
      h("span", { class: "below" }, `${tunnel.vpc_id} / ${tunnel.gateway_id}`)),
    cell("Account", {}, operation.account, h("span", { class: "below" }, operation.region)),
    cell("Change", { class: "change" }, names.slice(0, 3).join(", "), names.length > 3 && ` and ${names.length - 3} more`),
    cell("Requested by", {}, operation.requested_by),
    cell("When", {}, when(operation.created_at)),
    cell("Duration", { class: "number" }, operation.finished_at
      ? between(operation.created_at, operation.finished_at) : lasting(operation.created_at)));
}

export function operations(view) {
  let values = parametersOf(location.hash);
  let known = null;
  let generation = 0;
  const live = h("p", { class: "live" });
  const trouble = h("div");
  const empty = h("p", { class: "empty", hidden: true });
  const list = table("Operations, newest first", ["Status", "Tunnel", "Account", "Change", "Requested by", "When", "Duration"]);
  list.element.hidden = true;
  const rows = new Rows(list.body, (operation) => operation.id, row);
  const pager = new Pager(() => restart());

  function restart() { known = null; generation += 1; wake(); }

  function changed(next) {
    values = next;
    rememberIn("/operations", values);
    pager.reset();
    restart();
  }

  /** Announces the operations that ended since the last poll. */
  function tell(items) {
    const ended = items.filter((item) => known?.has(item.id) && !isFinal(known.get(item.id)) && isFinal(item.status));
    if (ended.length > 0) announce(ended.map((item) => `${item.tunnel.tunnel_id}: ${words(item.status)}`).join(". "));
    known = new Map(items.map((item) => [item.id, item.status]));
  }

  async function look() {
    const asked = generation;
    const page = await get("operations", { ...values, limit: 50, cursor: pager.cursor }, { signal: view.signal });
    // The filters have changed meanwhile: this answer is stale.
    if (asked !== generation) return 0;
    put(trouble);
    rows.show(page.items, known !== null);
    tell(page.items);
    pager.reached(page.next_cursor);
    const moving = page.items.filter((item) => !isFinal(item.status)).length;
    const isFiltered = Object.values(values).some(Boolean);
    empty.hidden = page.items.length > 0;
    empty.textContent = isFiltered ? "No operation matches these filters." : "No operation yet. Operations appear here as soon as a tunnel is changed.";
    list.element.hidden = page.items.length === 0;
    live.className = pager.isFirst ? "live on" : "live";
    put(live, h("span", { class: "dot", "aria-hidden": "true" }), pager.isFirst
      ? `Live. ${moving === 0 ? "Nothing in progress" : `${moving} in progress`}${isFiltered ? " among the matches" : ""}.`
      : "An older page: new operations appear on the newest page.");
    return gentle(moving > 0 ? BUSY : CALM);
  }

  view.root.append(
    h("div", { class: "head" }, h("h1", { tabindex: "-1" }, "Operations"), live),
    filterBar(FILTERS, values, changed), trouble, list.element, empty, pager.element);
  const wake = keepUp(view.signal, look, (error, wait) => {
    live.className = "live";
    put(live, h("span", {}, "Out of date. Retrying ", until(wait), "."));
    put(trouble, failure(error, () => wake()));
  });
}
