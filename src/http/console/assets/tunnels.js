// All tunnels as the cloud has them, by account, with their last changes.

import { gentle, get } from "./api.js";
import { failure, h, put } from "./dom.js";
import { Inventory } from "./inventory.js";
import { Rows, cell, filterBar, keepUp, parametersOf, rememberIn, table } from "./list.js";
import { hashOf, pathOf } from "./paths.js";
import { when } from "./time.js";
import { stateOf } from "./tunnel.js";
import { icon, isFinal, statusOf } from "./words.js";

/** The shortest interval between two reads of operations, and of tunnels in the window, which cost calls of the cloud. */
const CALM = 5000;
const CLOUD = 60_000;
/** The newest operations among which last changes are looked for. */
const NEWEST = 200;
/** Accounts that are read at once. */
const AT_ONCE = 3;
/** The longest search of the gateway, in characters. */
const LONGEST_SEARCH = 128;

/** The newest operation of each tunnel. */
function newest(operations) {
  const found = new Map();
  for (const one of operations) if (!found.has(pathOf(one.tunnel))) found.set(pathOf(one.tunnel), one);
  return found;
}

function row({ tunnel, operation, isAll }) {
  return h("tr", { role: "row", "data-tunnel": tunnel.tunnel_id },
    cell("Tunnel", {}, h("a", { class: "open", href: hashOf(tunnel) }, tunnel.tunnel_id), tunnel.name && h("span", { class: "below" }, tunnel.name)),
    cell("State", {}, stateOf(tunnel), tunnel.drift?.length > 0 && h("span", { class: "badge warn" }, icon("warn"), "drift")),
    cell("Gateway", {}, h("a", { href: `#/tunnels?${new URLSearchParams({ vpc_id: tunnel.vpc_id, gateway_id: tunnel.gateway_id })}` }, tunnel.gateway_id),
      h("span", { class: "below" }, tunnel.vpc_id)),
    cell("Peer", {}, tunnel.peer_address, tunnel.peer_cidrs && h("span", { class: "below" }, tunnel.peer_cidrs.join(", "))),
    cell("Last change", {}, operation ? [statusOf(operation), h("span", { class: "below" }, `by ${operation.requested_by} `, when(operation.created_at))]
      : h("span", { class: "muted" }, isAll ? "none" : `none among the newest ${NEWEST}`)));
}

/** The part of the page that shows one account. */
class Section {
  #account; #inventory; #list; #rows; #changed;
  #trouble = h("div"); #shown = null;
  #more = h("button", { type: "button", class: "more", onclick: () => this.load() }, "Load more");

  /** `changed` is called when more tunnels are loaded. */
  constructor(account, filters, signal, changed) {
    [this.#account, this.#changed] = [account, changed];
    this.#inventory = new Inventory({ ...filters, account: account.name }, signal);
    this.#list = table(`Tunnels of ${account.name}`, ["Tunnel", "State", "Gateway", "Peer", "Last change"]);
    this.#rows = new Rows(this.#list.body, ({ tunnel }) => pathOf(tunnel), row);
    this.element = h("section", { class: "account", "data-account": account.name, hidden: true },
      h("h2", {}, account.name, h("span", { class: "muted" }, ` ${[account.region, account.api && `API ${account.api}`].filter(Boolean).join(", ")}`)),
      this.#list.element, this.#trouble, h("p", {}, this.#more));
  }

  get count() { return this.#inventory.tunnels.length; }

  get hasMore() { return this.#inventory.hasMore; }

  get hasFailed() { return this.#inventory.error !== null; }

  async load() {
    const isFirst = this.count === 0;
    const loading = this.#inventory.more();
    this.#changed();
    await loading;
    this.#changed();
    // The button that was pressed disappears at the end of the list: the focus must stay in the page.
    if (!isFirst && !this.hasMore && document.activeElement === document.body) this.#list.body.lastElementChild?.querySelector("a")?.focus();
  }

  /** Shows what is loaded, with the last changes. */
  draw(last, isAll) {
    const { tunnels, error, isLoading } = this.#inventory;
    this.element.hidden = tunnels.length === 0 && !error && (!isLoading && !this.hasMore);
    this.#rows.show(tunnels.map((tunnel) => ({ tunnel, operation: last.get(pathOf(tunnel)) ?? null, isAll })), false);
    this.#list.element.hidden = tunnels.length === 0;
    if (error !== this.#shown) put(this.#trouble, error && failure(error, () => this.#retry()));
    this.#shown = error;
    this.#more.hidden = !this.hasMore || (error !== null && !isLoading);
    put(this.#more, isLoading ? "Reading…" : tunnels.length === 0 ? `Nothing found yet in ${this.#account.name}: look further` : "Load more");
  }

  async #retry() {
    await this.refresh();
    this.#changed();
  }

  /** Reads the tunnels again that are in the window, and what could not be read. */
  async refresh() {
    const isInWindow = (element) => {
      const { top, bottom } = element.getBoundingClientRect();
      return bottom > 0 && top < innerHeight;
    };
    const seen = new Set([...this.#list.body.children].filter(isInWindow).map((element) => element.dataset.tunnel));
    await this.#inventory.refresh(({ tunnel_id: id }) => seen.has(id));
  }

  /** Reads the tunnels again whose operation has ended. */
  async refreshEnded(ended) {
    for (const tunnel of this.#inventory.tunnels) if (ended.has(pathOf(tunnel))) await this.#inventory.refreshOne(tunnel);
  }
}

/** Does a task for each of a list, a few at once. */
async function forEach(list, task) {
  const rest = [...list];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let next = rest.shift(); next !== undefined; next = rest.shift()) await task(next);
  }));
}

/** All accounts that the token may see. */
async function allAccounts(signal) {
  const found = [];
  let cursor = null;
  do {
    const page = await get("accounts", { limit: 200, cursor }, { signal });
    found.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return found;
}

export function tunnels(view) {
  let values = parametersOf(location.hash);
  let accounts = null;
  let sections = [];
  /** Ends the reads for filters that have changed. */
  let attempt = new AbortController();
  let [last, isAll, readAt] = [null, true, 0];
  const live = h("p", { class: "live", role: "status" });
  const [trouble, bar, lists] = [h("div"), h("div"), h("div")];
  const empty = h("p", { class: "empty", hidden: true });

  function draw() {
    for (const section of sections) section.draw(last ?? new Map(), isAll);
    const count = sections.reduce((sum, section) => sum + section.count, 0);
    const isWhole = sections.every((section) => !section.hasMore);
    empty.hidden = count > 0 || !isWhole || sections.some((section) => section.hasFailed);
    const isFiltered = Object.values(values).some(Boolean);
    empty.textContent = isFiltered ? "No tunnel matches these filters, or your token may not read it." : "The cloud shows no tunnel that your token may read.";
    const number = count === 1 ? "1 tunnel" : `${count} tunnels`;
    const text = isWhole ? `${number}.` : count === 0 ? "Reading…" : `${number} so far.`;
    if (live.textContent !== text) put(live, text);
  }

  /** Starts again with the current filters. */
  function begin() {
    attempt.abort();
    attempt = new AbortController();
    const signal = AbortSignal.any([view.signal, attempt.signal]);
    const { account, ...filters } = values;
    const known = accounts.filter(({ name }) => !account || name === account);
    const chosen = known.length === 0 && account ? [{ name: account }] : known;
    const changed = () => { if (!signal.aborted) draw(); };
    sections = chosen.map((one) => new Section(one, filters, signal, changed));
    put(lists, sections.map((section) => section.element));
    readAt = Date.now();
    draw();
    forEach(sections, (section) => (signal.aborted ? null : section.load()));
  }

  function changed(next) {
    values = next;
    rememberIn("/tunnels", values);
    last = null;
    if (accounts) begin();
    wake();
  }

  function offerFilters() {
    put(bar, filterBar([
      { name: "account", label: "Account", options: accounts.map(({ name }) => name) },
      { name: "vpc_id", label: "VPC", placeholder: "vpc-…" },
      { name: "gateway_id", label: "Gateway", placeholder: "vpngw-…" },
      { name: "search", label: "Search", placeholder: "id, name, address, range", size: 24, longest: LONGEST_SEARCH },
      { name: "drift", label: "Drift", options: ["true"], any: "all tunnels", says: { true: "only drift" } },
    ], values, changed));
  }

  async function look() {
    const { signal } = attempt;
    if (accounts === null) {
      accounts = await allAccounts(view.signal);
      offerFilters();
      begin();
      return 0;
    }
    const { items, next_cursor: more } = await get("operations", { vpc_id: values.vpc_id, account: values.account, limit: NEWEST }, { signal: view.signal });
    // The filters have changed meanwhile: this answer is stale.
    if (signal.aborted) return 0;
    const before = last;
    [last, isAll] = [newest(items), more === null];
    const ended = new Set([...last].filter(([path, { id, status }]) => before !== null && isFinal(status)
      && !(before.get(path)?.id === id && isFinal(before.get(path).status))).map(([path]) => path));
    const isDue = Date.now() - readAt >= CLOUD;
    if (isDue) readAt = Date.now();
    await forEach(sections, async (section) => {
      if (ended.size > 0) await section.refreshEnded(ended);
      if (isDue) await section.refresh();
    });
    if (signal.aborted) return 0;
    put(trouble);
    draw();
    return gentle(CALM);
  }

  view.root.append(h("div", { class: "head" }, h("h1", { tabindex: "-1" }, "Tunnels"), live), bar, trouble, lists, empty);
  const wake = keepUp(view.signal, look, (failed) => put(trouble, failure(failed, () => wake())));
}
