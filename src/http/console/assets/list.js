// Shared parts of the lists: filters, rows that keep their position and focus, pages, and polling.

import { h, pause, untilVisible } from "./dom.js";

/** The parameters after "?" in the URL's hash. */
export function parametersOf(hash) {
  return Object.fromEntries(new URLSearchParams(hash.split("?")[1] ?? ""));
}

/** Writes the filters into the URL, so that it can be shared, without leaving the view. */
export function rememberIn(route, values) {
  const set = Object.entries(values).filter(([, value]) => value);
  history.replaceState(null, "", `#${route}${set.length > 0 ? `?${new URLSearchParams(set)}` : ""}`);
}

function control(field, value, changed) {
  const id = `filter-${field.name}`;
  const attributes = { id, name: field.name, onchange: changed };
  const input = field.options
    ? h("select", attributes, h("option", { value: "" }, field.any ?? "any"),
      field.options.map((option) => h("option", { value: option, selected: option === value }, field.says?.[option] ?? option.replaceAll("_", " "))))
    : h("input", { ...attributes, type: field.type ?? "text", value, placeholder: field.placeholder, autocomplete: "off", spellcheck: "false",
      autocapitalize: "off", size: field.size ?? 12, maxlength: field.longest });
  return h("div", { class: "field" }, h("label", { for: id }, field.label), input);
}

/** A bar of filters. Calls back with the values after each change. */
export function filterBar(fields, values, changed) {
  const form = h("form", { class: "filters", role: "search", onsubmit: (event) => { event.preventDefault(); tell(); } });
  function tell() {
    const data = Object.fromEntries(new FormData(form));
    changed(Object.fromEntries(Object.entries(data).map(([name, value]) => [name, value.trim()])));
  }
  form.append(...fields.map((field) => control(field, values[field.name] ?? "", tell)),
    // For the keyboard; changing a field applies the filters too.
    h("button", { type: "submit", class: "visually-hidden" }, "Apply filters"),
    h("button", { type: "button", class: "plain clear", onclick: () => {
      for (const input of form.querySelectorAll("input, select")) input.value = "";
      tell();
    } }, "Clear"));
  return form;
}

/** A table that keeps its roles when a narrow screen shows the rows as cards. */
export function table(caption, columns) {
  const body = h("tbody", { role: "rowgroup" });
  const element = h("table", { class: "list", role: "table" },
    h("caption", { class: "visually-hidden" }, caption),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, columns.map((name) => h("th", { scope: "col", role: "columnheader" }, name)))),
    body);
  return { element, body };
}

/** One cell; a narrow screen shows the label instead of the column's head. */
export function cell(label, attributes, ...children) {
  return h("td", { role: "cell", "data-label": label, ...attributes }, ...children);
}

/** Rows by key. Unchanged rows stay in the page and keep the focus and the selection. */
export class Rows {
  #body; #key; #render; #rows = new Map();

  constructor(body, key, render) { this.#body = body; this.#key = key; this.#render = render; }

  /** Shows these items; `isUpdate` highlights new and changed items. */
  show(items, isUpdate) {
    const kept = new Map();
    const elements = items.map((item) => {
      const [key, text] = [this.#key(item), JSON.stringify(item)];
      let row = this.#rows.get(key);
      if (row?.text !== text) {
        const element = this.#render(item);
        if (isUpdate) element.classList.add("changed");
        const hadFocus = row?.element.contains(document.activeElement);
        row?.element.replaceWith(element);
        if (hadFocus) element.querySelector("a, button")?.focus();
        row = { element, text };
      }
      kept.set(key, row);
      return row.element;
    });
    for (const [key, row] of this.#rows) if (!kept.has(key)) row.element.remove();
    elements.forEach((element, index) => {
      if (this.#body.children[index] !== element) this.#body.insertBefore(element, this.#body.children[index] ?? null);
    });
    this.#rows = kept;
  }
}

/** Pages by cursor. Calls `turn` with the cursor of the requested page. */
export class Pager {
  #before = []; #next = null; #turn;
  cursor = null;

  constructor(turn) {
    this.#turn = turn;
    this.newest = h("button", { type: "button", onclick: () => this.#go([], null) }, "Newest");
    this.newer = h("button", { type: "button", onclick: () => this.#go(this.#before.slice(0, -1), this.#before.at(-1)) }, "Newer");
    this.older = h("button", { type: "button", onclick: () => this.#go([...this.#before, this.cursor], this.#next) }, "Older");
    this.element = h("nav", { class: "pager", "aria-label": "Pages" }, this.newest, this.newer, this.older);
    this.reached(null);
  }

  #go(before, cursor) { [this.#before, this.cursor] = [before, cursor ?? null]; this.#turn(); }

  /** Back to the first page, for example after a change of the filters. */
  reset() { [this.#before, this.cursor] = [[], null]; }

  get isFirst() { return this.cursor === null; }

  /** Called with a loaded page; `next` is the cursor of the next page. */
  reached(next) {
    this.#next = next;
    const focused = this.element.contains(document.activeElement) ? document.activeElement : null;
    this.newest.disabled = this.newer.disabled = this.isFirst;
    this.older.disabled = next === null;
    this.element.hidden = this.isFirst && next === null;
    // A disabled button loses the focus: move the focus to another button.
    if (focused?.disabled) this.element.querySelector("button:enabled")?.focus();
  }
}

/** Does a task again and again while the page is looked at: `task` answers with the milliseconds until the next time, or
 *  null to end. After a failure the waits grow, and are told to `failed`. `wake` does it at once. */
export function keepUp(signal, task, failed) {
  let wakeUp = () => {};
  const wake = () => wakeUp();
  async function run() {
    let failures = 0;
    while (!signal.aborted) {
      let wait;
      try {
        wait = await task();
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        const longer = Math.min(30_000, 2000 * 2 ** failures);
        wait = error.pause?.(longer) ?? longer;
        failed(error, wait);
      }
      const sleep = new AbortController();
      wakeUp = () => sleep.abort();
      signal.addEventListener("abort", wakeUp, { once: true });
      if (wait === null) await new Promise((resolve) => sleep.signal.addEventListener("abort", resolve, { once: true }));
      else await pause(wait, sleep.signal);
      signal.removeEventListener("abort", wakeUp);
      await untilVisible(signal);
    }
  }
  run();
  return wake;
}
