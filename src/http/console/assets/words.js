// What the service's words mean for people, and how values are shown.

import { h, svg } from "./dom.js";

// Tones differ in shape as well as in colour.
const SHAPES = {
  moving: () => [svg("circle", { cx: 8, cy: 8, r: 5.5, class: "ring" }), svg("path", { d: "M8 2.5a5.5 5.5 0 0 1 5.5 5.5", class: "arc" })],
  good: () => [svg("circle", { cx: 8, cy: 8, r: 7, class: "solid" }), svg("path", { d: "m4.8 8.2 2.2 2.2 4.2-4.6", class: "cut" })],
  bad: () => [svg("path", { d: "M5 1h6l4 4v6l-4 4H5l-4-4V5z", class: "solid" }), svg("path", { d: "m5.4 5.4 5.2 5.2m0-5.2-5.2 5.2", class: "cut" })],
  warn: () => [svg("path", { d: "M8 1.2 15.3 14.5H.7z", class: "solid" }), svg("path", { d: "M8 6v4m0 1.6v.8", class: "cut" })],
  quiet: () => [svg("circle", { cx: 8, cy: 8, r: 3.2, class: "solid" })],
};

export const STATUSES = {
  pending: { tone: "moving", says: "Recorded; the cloud has not answered yet." },
  running: { tone: "moving", says: "The cloud is carrying it out." },
  unknown: { tone: "warn", says: "It was sent and no answer came: it may have happened. The tunnel is being read to find out; the change is never sent again." },
  succeeded: { tone: "good", says: "Done." },
  failed: { tone: "bad", says: "It was not done." },
  timed_out: { tone: "bad", says: "Nobody could tell within the time limit." },
  rejected: { tone: "bad", says: "Refused, or never sent: the tunnel is as it was." },
};

export const EVENTS = {
  requested: { tone: "quiet", says: "Asked for, and recorded before anything was sent" },
  submitted: { tone: "quiet", says: "The cloud took the change" },
  rejected: { tone: "bad", says: "Refused, or never sent: nothing was changed" },
  outcome_unknown: { tone: "warn", says: "Sent, but no answer says what became of it" },
  succeeded: { tone: "good", says: "The cloud's task ended well, or the tunnel was found changed" },
  failed: { tone: "bad", says: "The task failed, or the change was found not to have happened" },
  timed_out: { tone: "bad", says: "Nobody could tell within the time limit" },
  verification_confirmed: { tone: "good", says: "Read back: everything is as asked" },
  verification_diverged: { tone: "warn", says: "Read back: something is not as asked" },
  verification_unavailable: { tone: "quiet", says: "It could not be read back" },
  denied: { tone: "bad", says: "A caller was refused for want of rights" },
};

/** Kinds of events after which somebody may have to do something. */
export const FAILURES = ["rejected", "failed", "timed_out", "verification_diverged", "denied"];

export function isFinal(status) { return !["pending", "running", "unknown"].includes(status); }

export function words(text) { return text.replaceAll("_", " "); }

export function icon(tone) {
  return svg("svg", { viewBox: "0 0 16 16", width: 14, height: 14, class: `icon ${tone}`, "aria-hidden": "true" }, SHAPES[tone]());
}

/** A word with its shape. A word that this page does not know yet is shown as it is. */
export function badge(text, known) {
  const tone = known[text]?.tone ?? "quiet";
  return h("span", { class: `badge ${tone}`, title: known[text]?.says }, icon(tone), words(text));
}

/** An operation's status, with what reading back showed. */
export function statusOf(operation) {
  const result = operation.verification?.result;
  const notes = { confirmed: ["good", "confirmed"], diverged: ["warn", "not as asked"], unavailable: ["quiet", "not read back"] };
  const [tone, note] = notes[result] ?? [];
  return [badge(operation.status, STATUSES), note && h("span", { class: `note ${tone}` },
    tone === "warn" && icon("warn"), note)];
}

/** A fingerprint stands for a secret: the beginning is enough to see that two are equal, the rest is in the title. */
function fingerprint(hex) {
  return h("span", { class: "fingerprint", title: `HMAC-SHA256 ${hex}` }, "secret, fingerprint ", h("code", {}, `${hex.slice(0, 12)}…`));
}

/** A value of a patch or of a difference. */
export function value(any) {
  if (any === null || any === undefined) return h("span", { class: "muted" }, "nothing");
  if (Array.isArray(any)) {
    if (any.length === 0) return h("span", { class: "muted" }, "an empty list");
    return h("ul", { class: "values" }, any.map((item) => h("li", {}, value(item))));
  }
  if (typeof any !== "object") return h("code", {}, String(any));
  if (typeof any.hmac_sha256 === "string" && Object.keys(any).length === 1) return fingerprint(any.hmac_sha256);
  return h("dl", { class: "members" }, Object.entries(any).map(([name, member]) => [h("dt", {}, name), h("dd", {}, value(member))]));
}

/** The fields of a patch: [["ike.dh_group", "group14"], …]. */
export function fields(changes) {
  return Object.entries(changes).flatMap(([name, member]) =>
    (name === "ike" || name === "ipsec") && member !== null && typeof member === "object"
      ? Object.entries(member).map(([inner, value]) => [`${name}.${inner}`, value])
      : [[name, member]]);
}

/** A JSON pointer in the words of the patch: "/ike/dh_group" is "ike.dh_group". */
export function field(pointer) { return pointer.replace(/^\//, "").replaceAll("/", "."); }

/** The cloud's own words, where it said something. */
export function cloudWords(upstream) {
  if (!upstream) return null;
  // 0 is the cloud's word for a success.
  const code = upstream.code === "0" ? "" : [upstream.code, upstream.code_desc].filter(Boolean).join(" ");
  const facts = [
    upstream.action && ["Call", h("code", {}, upstream.action)],
    code && ["Code", h("code", {}, code)],
    upstream.message && ["The cloud says", h("q", {}, upstream.message)],
    upstream.task_id && ["Task", h("code", {}, upstream.task_id)],
    typeof upstream.latency_ms === "number" && ["Answered after", `${upstream.latency_ms} ms${upstream.attempts > 1 ? `, ${upstream.attempts} attempts` : ""}`],
  ].filter(Boolean);
  if (facts.length === 0) return null;
  return h("dl", { class: "facts inline" }, facts.map(([name, fact]) => h("div", {}, h("dt", {}, name), h("dd", {}, fact))));
}

/** What was asked for and what is there. */
export function differences(list) {
  return h("table", { class: "differences" },
    h("caption", {}, "Asked for, and what the tunnel has"),
    h("thead", {}, h("tr", {}, ["Field", "Asked", "Observed"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, list.map((one) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, field(one.pointer))),
      h("td", {}, value(one.asked)), h("td", { class: "observed" }, value(one.observed))))));
}
