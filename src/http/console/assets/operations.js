// The list of operations, newest first, as they move.

import { gentle, get } from "./api.js";
import { announce, failure, h, put } from "./dom.js";
import { Pager, Rows, cell, filterBar, keepUp, parametersOf, rememberIn, table } from "./list.js";
import { between, lasting, until, when } from "./time.js";
import { STATUSES, fields, isFinal, statusOf, words } from "./words.js";

// How often it is looked, at the most: the key's rate limit may make it less.
const BUSY = 3000;
const CALM = 5000;

const FILTERS = [
  { name: "status", label: "Status", options: Object.keys(STATUSES) },
  { name: "tunnel_id", label: "Tunnel", placeholder: "vpnx-…" },
  { name: "vpc_id", label: "VPC", placeholder: "vpc-…" },
  { name: "requested_by", label: "Asked by", placeholder: "name of a key" },
];

function row(operation) {
  const { id, tunnel, changes } = operation;
  const names = fields(changes).map(([name]) => name);
  return h("tr", { role: "row", "data-operation": id },
    cell("Status", { class: "status" }, statusOf(operation)),
    cell("Tunnel", {}, h("a", { class: "open", href: `#/operations/${id}` }, tunnel.tunnel_id),
      h("span", { class: "below" }, `${tunnel.vpc_id} / ${tunnel.gateway_id}`)),
    cell("Change", { class: "change" }, names.slice(0, 3).join(", "), names.length > 3 && ` and ${names.length - 3} more`),
    cell("Asked by", {}, operation.requested_by),
    cell("When", {}, when(operation.created_at)),
    cell("Took", { class: "number" }, operation.finished_at
      ? between(operation.created_at, operation.finished_at) : lasting(operation.created_at)));
}

export function operations(view) {
  let values = parametersOf(location.hash);
  let known = null;
  let generation = 0;
  const live = h("p", { class: "live" });
  const trouble = h("div");
  const empty = h("p", { class: "empty", hidden: true });
  const list = table("Operations, newest first", ["Status", "Tunnel", "Change", "Asked by", "When", "Took"]);
  const rows = new Rows(list.body, (operation) => operation.id, row);
  const pager = new Pager(() => restart());

  function restart() { known = null; generation += 1; wake(); }

  function changed(next) {
    values = next;
    rememberIn("/operations", values);
    pager.reset();
    restart();
  }

  /** Says what has ended since the last look. */
  function tell(items) {
    const ended = items.filter((item) => known?.has(item.id) && !isFinal(known.get(item.id)) && isFinal(item.status));
    if (ended.length > 0) announce(ended.map((item) => `${item.tunnel.tunnel_id}: ${words(item.status)}`).join(". "));
    known = new Map(items.map((item) => [item.id, item.status]));
  }

  async function look() {
    const asked = generation;
    const page = await get("operations", { ...values, limit: 50, cursor: pager.cursor }, { signal: view.signal });
    // The filters have changed meanwhile: this page is not the one that is wanted.
    if (asked !== generation) return 0;
    put(trouble);
    rows.show(page.items, known !== null);
    tell(page.items);
    pager.reached(page.next_cursor);
    const moving = page.items.filter((item) => !isFinal(item.status)).length;
    const isFiltered = Object.values(values).some(Boolean);
    empty.hidden = page.items.length > 0;
    empty.textContent = isFiltered ? "No operation fits these filters." : "No operation yet. One appears here as soon as somebody changes a tunnel.";
    list.element.hidden = page.items.length === 0;
    live.className = pager.isFirst ? "live on" : "live";
    put(live, h("span", { class: "dot", "aria-hidden": "true" }), pager.isFirst
      ? `Live. ${moving === 0 ? "Nothing under way" : `${moving} under way`}${isFiltered ? " among these" : ""}.`
      : "An older page: what is new appears on the newest one.");
    return gentle(moving > 0 ? BUSY : CALM);
  }

  view.root.append(
    h("div", { class: "head" }, h("h1", { tabindex: "-1" }, "Operations"), live),
    filterBar(FILTERS, values, changed), trouble, list.element, empty, pager.element);
  const wake = keepUp(view.signal, look, (error, wait) => {
    live.className = "live";
    put(live, h("span", {}, "Not up to date. Looking again ", until(wait), "."));
    put(trouble, failure(error, () => wake()));
  });
}
