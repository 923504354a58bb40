// The steps of one operation in their order. New steps are appended without redrawing, so that the focus and a selection
// stay.

import { h, put } from "./dom.js";
import { between, exact, lasting } from "./time.js";
import { EVENTS, READ_BACK, STATUSES, cloudWords, icon, words } from "./words.js";

export class Timeline {
  #steps = new Map(); #events = new Map(); #first = null; #last = null; #linksToLog;
  #title = h("h3"); #says = h("p"); #since = h("p", { class: "times" });
  #moving = h("li", { class: "moving" }, h("div", { class: "mark" }, icon("moving")),
    h("div", { class: "step" }, this.#title, this.#says, this.#since));
  element = h("ol", { class: "timeline" });

  /** `linksToLog`: the token may read the audit log, so each step links to its event. */
  constructor(linksToLog) { this.#linksToLog = linksToLog; }

  has(seq) { return this.#steps.has(seq); }

  /** Adds a step; `isNew` highlights a live step. */
  add(step, isNew) {
    const known = EVENTS[step.event] ?? { tone: "quiet", says: "" };
    const said = h("div", {}, cloudWords({ ...step.upstream, task_id: step.task_id }));
    const from = h("span", { class: "muted" });
    const seq = this.#linksToLog
      ? h("a", { class: "seq", href: `#/audit/${step.seq}`, "aria-label": `Event ${step.seq} of the audit log` }, `#${step.seq}`)
      : h("span", { class: "seq muted", title: `Event ${step.seq} of the audit log` }, `#${step.seq}`);
    const [first, before] = [this.#first ?? step, this.#last];
    const element = h("li", { class: isNew ? `${known.tone} new` : known.tone, "data-event": step.event },
      h("div", { class: "mark" }, icon(known.tone)),
      h("div", { class: "step" },
        h("h3", {}, words(step.event), seq),
        h("p", {}, known.says),
        step.verification && h("p", {}, READ_BACK[step.verification.result] ?? ""),
        h("p", { class: "times" }, h("time", { datetime: step.at }, `${exact(step.at)} UTC`),
          before && h("span", { class: "gap" }, `+${between(before.at, step.at)}`),
          before && before !== first && h("span", { class: "muted" }, `${between(first.at, step.at)} after the start`), from),
        said));
    this.element.insertBefore(element, this.#moving.isConnected ? this.#moving : null);
    this.#steps.set(step.seq, { said, from });
    [this.#first, this.#last] = [first, step];
    if (this.#events.has(step.seq)) this.enrich(this.#events.get(step.seq));
  }

  /** Adds a step's details from the audit log: the request's origin and the cloud's answer. */
  enrich(event) {
    this.#events.set(event.seq, event);
    const step = this.#steps.get(event.seq);
    if (!step) return;
    put(step.said, cloudWords(event.upstream));
    put(step.from, event.source_ip && `from ${event.source_ip}${event.user_agent ? ` (${event.user_agent})` : ""}`);
  }

  /** Shows the current status and its duration. */
  moves(status, since) {
    const title = status === "unknown" ? "finding out" : "in progress";
    if (this.#title.textContent !== title) this.#title.textContent = title;
    const says = STATUSES[status]?.says ?? "";
    if (this.#says.textContent !== says) this.#says.textContent = says;
    put(this.#since, h("span", {}, "for ", lasting(this.#last?.at ?? since)));
    if (!this.#moving.isConnected) this.element.append(this.#moving);
  }

  /** Removes the row of the current status: the operation has ended. */
  ends() { this.#moving.remove(); }
}
