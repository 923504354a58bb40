// Tunnels as the cloud has them: those of the chosen gateway, or of the gateways with the newest changes.

import { gentle, get } from "./api.js";
import { failure, h, put } from "./dom.js";
import { Rows, cell, filterBar, keepUp, parametersOf, rememberIn, table } from "./list.js";
import { hashOf } from "./paths.js";
import { when } from "./time.js";
import { stateOf } from "./tunnel.js";
import { icon, statusOf } from "./words.js";

/** The shortest interval between two reads of operations, and of tunnels, which cost calls of the cloud. */
const CALM = 5000;
const CLOUD = 30_000;
/** The newest operations among which gateways and last changes are looked for. */
const NEWEST = 200;
/** The gateways that are read if none is chosen. */
const GATEWAYS = 5;
/** Pages of a gateway's tunnels. */
const PAGES = 10;

/** The same for a tunnel of an operation, and for one that the cloud shows. */
const keyOf = ({ vpc_id: vpc, gateway_id: gateway, tunnel_id: id }) => JSON.stringify([vpc, gateway, id]);

/** The newest operation of each tunnel. */
function newest(operations) {
  const found = new Map();
  for (const one of operations) {
    const key = keyOf(one.tunnel);
    if (!found.has(key)) found.set(key, one);
  }
  return found;
}

function row({ tunnel, operation, isAll }) {
  return h("tr", { role: "row", "data-tunnel": tunnel.tunnel_id },
    cell("Tunnel", {}, h("a", { class: "open", href: hashOf(tunnel) }, tunnel.tunnel_id), tunnel.name && h("span", { class: "below" }, tunnel.name)),
    cell("State", {}, tunnel.status === undefined ? h("span", { class: "muted" }, "not read") : stateOf(tunnel),
      tunnel.drift?.length > 0 && h("span", { class: "badge warn" }, icon("warn"), "drift")),
    cell("Gateway", {}, h("a", { href: `#/tunnels?${new URLSearchParams({ vpc_id: tunnel.vpc_id, gateway_id: tunnel.gateway_id })}` }, tunnel.gateway_id),
      h("span", { class: "below" }, tunnel.vpc_id)),
    cell("Account", {}, tunnel.account, h("span", { class: "below" }, tunnel.region)),
    cell("Peer", {}, tunnel.peer_address, tunnel.peer_cidrs && h("span", { class: "below" }, tunnel.peer_cidrs.join(", "))),
    cell("Last change", {}, operation ? [statusOf(operation), h("span", { class: "below" }, `by ${operation.requested_by} `, when(operation.created_at))]
      : h("span", { class: "muted" }, isAll ? "none" : `none among the newest ${NEWEST}`)));
}

/** Everything in a tunnel that the search looks at. */
function textOf({ tunnel, operation }) {
  const { tunnel_id: id, name, gateway_id: gateway, vpc_id: vpc, peer_address: peer, peer_cidrs: ranges, status, connectivity, drift } = tunnel;
  return [id, name, gateway, vpc, peer, ranges, status, connectivity, drift?.length > 0 && "drift", operation?.requested_by,
    operation?.status].flat().filter(Boolean).join(" ").toLowerCase();
}

export function tunnels(view) {
  let values = parametersOf(location.hash);
  let found = [];
  let generation = 0;
  /** The last read of the cloud: which gateways, when, the tunnels, and the gateways that could not be read. */
  let read = { of: "", at: 0, shown: [], failures: [] };
  const live = h("p", { class: "live" });
  const trouble = h("div");
  const empty = h("p", { class: "empty", hidden: true });
  const bar = h("div");
  const list = table("Tunnels", ["Tunnel", "State", "Gateway", "Account", "Peer", "Last change"]);
  const rows = new Rows(list.body, ({ tunnel }) => keyOf(tunnel), row);

  const isOfGateway = () => Boolean(values.vpc_id && values.gateway_id);

  function draw() {
    const wanted = (values.q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const matches = found.filter((one) => (!values.account || one.tunnel.account === values.account)
      && (!values.gateway_id || one.tunnel.gateway_id === values.gateway_id || isOfGateway())
      && wanted.every((word) => textOf(one).includes(word)));
    rows.show(matches, false);
    list.element.hidden = matches.length === 0;
    empty.hidden = matches.length > 0;
    empty.textContent = found.length > 0 ? "No tunnel matches these filters."
      : "No tunnel was changed through this gateway yet. Give a VPC and a gateway to see the tunnels there.";
    put(live, matches.length === 1 ? "1 tunnel" : `${matches.length} tunnels`,
      isOfGateway() ? "." : ", on the gateways with the newest changes. Give a VPC and a gateway to see others.");
  }

  function changed(next) {
    const isSearch = ["account", "vpc_id", "gateway_id"].every((name) => (values[name] ?? "") === (next[name] ?? ""));
    values = next;
    rememberIn("/tunnels", values);
    if (isSearch) return draw();
    generation += 1;
    return wake();
  }

  async function ofGateway([vpc, gateway]) {
    const path = `vpcs/${encodeURIComponent(vpc)}/gateways/${encodeURIComponent(gateway)}/tunnels`;
    const all = [];
    let cursor = null;
    for (let page = 0; page < PAGES && (page === 0 || cursor); page += 1) {
      const answer = await get(path, { limit: 200, cursor }, { signal: view.signal });
      all.push(...answer.items);
      cursor = answer.next_cursor;
    }
    return all;
  }

  /** Reads gateways, unless they were read a short time ago. A gateway that can't be read does not hide the others. */
  async function ofGateways(gateways) {
    const of = JSON.stringify(gateways);
    if (read.of === of && Date.now() - read.at < CLOUD) return;
    const answers = await Promise.allSettled(gateways.map(ofGateway));
    const reasons = answers.map(({ reason }) => reason ?? null);
    if (isOfGateway() && reasons[0]) throw reasons[0];
    read = { of, at: Date.now(), shown: answers.flatMap(({ value }) => value ?? []),
      failures: gateways.map(([, gateway], index) => ({ gateway, error: reasons[index] })).filter(({ error }) => error && error.status !== 404) };
  }

  async function look() {
    const asked = generation;
    const chosen = isOfGateway() ? [[values.vpc_id, values.gateway_id]] : null;
    const parameters = { vpc_id: values.vpc_id, account: chosen ? null : values.account, limit: NEWEST };
    const { items, next_cursor: more } = await get("operations", parameters, { signal: view.signal });
    const last = newest(items);
    const changed = [...last.values()];
    const known = new Set(changed.filter(({ tunnel }) => !values.gateway_id || tunnel.gateway_id === values.gateway_id)
      .map(({ tunnel }) => JSON.stringify([tunnel.vpc_id, tunnel.gateway_id])));
    if (asked === generation) await ofGateways(chosen ?? [...known].slice(0, GATEWAYS).map((one) => JSON.parse(one)));
    // The filters have changed meanwhile: this answer is stale.
    if (asked !== generation) return 0;
    const keys = new Set(read.shown.map(keyOf));
    const unread = chosen ? [] : changed.filter(({ tunnel }) => !keys.has(keyOf(tunnel)));
    found = [...read.shown.map((tunnel) => ({ tunnel, operation: last.get(keyOf(tunnel)) ?? null, isAll: more === null })),
      ...unread.map((operation) => ({ tunnel: { ...operation.tunnel, account: operation.account, region: operation.region }, operation }))];
    put(trouble, read.failures.map(({ gateway, error }) => h("p", { class: "notice warn" }, h("code", {}, gateway), ` could not be read: ${error.message}`)));
    draw();
    return gentle(CALM);
  }

  /** The filters, with the accounts that the token may see. */
  async function offerFilters() {
    const accounts = await get("accounts", { limit: 200 }, { signal: view.signal }).then(({ items }) => items.map(({ name }) => name), () => []);
    if (view.signal.aborted) return;
    put(bar, filterBar([
      { name: "account", label: "Account", options: accounts },
      { name: "vpc_id", label: "VPC", placeholder: "vpc-…" },
      { name: "gateway_id", label: "Gateway", placeholder: "vpngw-…" },
      { name: "q", label: "Search", placeholder: "id, name, address, status", size: 24 },
    ], values, changed));
  }

  view.root.append(h("div", { class: "head" }, h("h1", { tabindex: "-1" }, "Tunnels"), live), bar, trouble, list.element, empty);
  offerFilters();
  const wake = keepUp(view.signal, async () => {
    const asked = generation;
    try {
      return await look();
    } catch (missing) {
      // The filters have changed meanwhile: this answer is stale, and says nothing about the new ones.
      if (asked !== generation) return 0;
      if (missing.status !== 404) throw missing;
      found = [];
      draw();
      put(trouble, h("p", { class: "notice", role: "alert" }, "The cloud shows no tunnel there, or your token may not read this VPC."));
      return null;
    }
  }, (failed) => put(trouble, failure(failed, () => wake())));
}
