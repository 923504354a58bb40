// The tunnels of one account as far as they are loaded, page by page. Reads cost calls of the account's budget, so only the pages
// in the window are read again.

import { get } from "./api.js";
import { pathOf } from "./paths.js";

/** The number of tunnels that are loaded at once. */
const PAGE = 50;
/** The gateway limits its calls for one answer, which then has fewer tunnels or none. So many requests are made for a page. */
const REQUESTS = 5;

export class Inventory {
  #filters; #signal;
  /** Each request's answer: { cursor, limit, items }. */
  #pages = [];
  #next = null; #isLoading = false; #hasBegun = false;
  /** Why the tunnels after those that are loaded, or the loaded ones, could not be read. */
  #unread = null; #stale = null;

  /** `filters` has the account's name. */
  constructor(filters, signal) { [this.#filters, this.#signal] = [filters, signal]; }

  /** The loaded tunnels, each once: a tunnel that was created or deleted meanwhile moves others from page to page. */
  get tunnels() { return [...new Map(this.#pages.flatMap(({ items }) => items).map((tunnel) => [pathOf(tunnel), tunnel])).values()]; }

  get isLoading() { return this.#isLoading; }

  /** Why tunnels could not be read; null if they could. */
  get error() { return this.#unread ?? this.#stale; }

  get hasMore() { return !this.#hasBegun || this.#next !== null; }

  #read(cursor, limit) { return get("tunnels", { ...this.#filters, limit, cursor }, { signal: this.#signal }); }

  /** Loads another page. */
  async more() {
    if (this.#isLoading || !this.hasMore) return;
    this.#isLoading = true;
    try {
      let missing = PAGE;
      for (let count = 0; count < REQUESTS && missing > 0 && this.hasMore; count += 1) {
        const cursor = this.#next;
        const { items, next_cursor: next } = await this.#read(cursor, missing);
        // The list goes on from another place since: see #refresh.
        if (cursor !== this.#next) continue;
        this.#pages.push({ cursor, limit: missing, items });
        [this.#next, this.#hasBegun, this.#unread] = [next, true, null];
        missing -= items.length;
      }
    } catch (error) {
      this.#unread = error;
    }
    this.#isLoading = false;
  }

  /** Reads the pages again that have a tunnel for which `isShown` is true, and what could not be read before. */
  async refresh(isShown) {
    const seen = this.#pages.filter(({ items }) => items.some(isShown));
    try {
      for (const page of seen) if (this.#pages.includes(page)) await this.#refresh(page);
      this.#stale = null;
    } catch (error) {
      this.#stale = error;
    }
    const isCut = seen.some((page) => !this.#pages.includes(page));
    if (this.#unread || isCut) await this.more();
  }

  /** Reads a page again. If it ends at another place than before, the pages after it are dropped: they would leave a gap. */
  async #refresh(page) {
    const { items, next_cursor: next } = await this.#read(page.cursor, page.limit);
    const after = this.#pages.indexOf(page) + 1;
    // Dropped meanwhile.
    if (after === 0) return;
    page.items = items;
    if (next === (this.#pages[after]?.cursor ?? this.#next)) return;
    this.#pages.length = after;
    this.#next = next;
  }

  /** Reads one tunnel again. If that fails, the next refresh does it. */
  async refreshOne(tunnel) {
    const found = await get(pathOf(tunnel), {}, { signal: this.#signal }).catch(() => tunnel);
    for (const page of this.#pages) page.items = page.items.map((one) => (pathOf(one) === pathOf(tunnel) ? found : one));
  }
}
