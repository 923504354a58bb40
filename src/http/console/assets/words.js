// The meaning of statuses and events, and the display of values.

import { h, svg } from "./dom.js";

// Tones differ in shape and in colour.
const SHAPES = {
  moving: () => [svg("circle", { cx: 8, cy: 8, r: 5.5, class: "ring" }), svg("path", { d: "M8 2.5a5.5 5.5 0 0 1 5.5 5.5", class: "arc" })],
  good: () => [svg("circle", { cx: 8, cy: 8, r: 7, class: "solid" }), svg("path", { d: "m4.8 8.2 2.2 2.2 4.2-4.6", class: "cut" })],
  bad: () => [svg("path", { d: "M5 1h6l4 4v6l-4 4H5l-4-4V5z", class: "solid" }), svg("path", { d: "m5.4 5.4 5.2 5.2m0-5.2-5.2 5.2", class: "cut" })],
  warn: () => [svg("path", { d: "M8 1.2 15.3 14.5H.7z", class: "solid" }), svg("path", { d: "M8 6v4m0 1.6v.8", class: "cut" })],
  quiet: () => [svg("circle", { cx: 8, cy: 8, r: 3.2, class: "solid" })],
};

export const STATUSES = {
  pending: { tone: "moving", says: "Recorded; the cloud has not answered yet." },
  running: { tone: "moving", says: "The cloud is carrying out the change." },
  unknown: { tone: "warn", says: "The change was sent, but the answer was lost: it may have been applied. The gateway reads the tunnel to find out, and never sends the change again." },
  succeeded: { tone: "good", says: "Done." },
  diverged: { tone: "warn", says: "The change ended, but the tunnel does not have the requested values." },
  failed: { tone: "bad", says: "The change was not applied." },
  timed_out: { tone: "bad", says: "The outcome is unknown after the time limit." },
  rejected: { tone: "bad", says: "Refused or never sent: the tunnel is unchanged." },
};

export const EVENTS = {
  requested: { tone: "quiet", says: "Requested, and recorded before the change was sent" },
  submitted: { tone: "quiet", says: "The cloud accepted the change" },
  rejected: { tone: "bad", says: "Refused or never sent: nothing was changed" },
  outcome_unknown: { tone: "warn", says: "Sent, but the outcome is unknown" },
  succeeded: { tone: "good", says: "The cloud's task succeeded, or the tunnel has the requested values" },
  failed: { tone: "bad", says: "The cloud's task failed, or the change was not applied" },
  timed_out: { tone: "bad", says: "The outcome is unknown after the time limit" },
  diverged: { tone: "warn", says: "The change ended, and a field does not have the requested value" },
  denied: { tone: "bad", says: "A caller was refused for missing rights" },
  key_created: { tone: "quiet", says: "An API key was created" },
  key_rotated: { tone: "quiet", says: "An API key got a new token" },
  key_revoked: { tone: "quiet", says: "An API key was revoked" },
  webhook_skipped: { tone: "quiet", says: "An operator passed an event that a webhook's receiver refuses" },
  log_archived: { tone: "quiet", says: "Old events were moved to files" },
  log_rewound: { tone: "bad", says: "An operator accepted that the newest events of the log were lost" },
};

/** Events that count as failures. */
export const FAILURES = ["rejected", "failed", "timed_out", "diverged", "denied", "log_rewound"];

/** The results of reading a tunnel back. */
export const READ_BACK = {
  confirmed: "Read back: every field has the requested value.",
  diverged: "Read back: a field does not have the requested value.",
  unavailable: "The tunnel could not be read back.",
};

export function isFinal(status) { return !["pending", "running", "unknown"].includes(status); }

export function words(text) { return text.replaceAll("_", " "); }

export function icon(tone) {
  return svg("svg", { viewBox: "0 0 16 16", width: 14, height: 14, class: `icon ${tone}`, "aria-hidden": "true" }, SHAPES[tone]());
}

/** A status or event with its shape. An unknown word is shown unchanged. */
export function badge(text, known) {
  const tone = known[text]?.tone ?? "quiet";
  return h("span", { class: `badge ${tone}`, title: known[text]?.says }, icon(tone), words(text));
}

/** An operation's status, with the result of the verification. */
export function statusOf(operation) {
  const result = operation.verification?.result;
  const notes = { confirmed: ["good", "confirmed"], diverged: ["warn", "diverged"], unavailable: ["quiet", "not read back"] };
  const [tone, note] = (result === operation.status ? null : notes[result]) ?? [];
  return [badge(operation.status, STATUSES), note && h("span", { class: `note ${tone}` },
    tone === "warn" && icon("warn"), note)];
}

/** A secret's fingerprint: the first digits, enough to compare two by eye; the title has the rest. */
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

/** The members of a patch whose members are fields. */
const GROUPS = ["ike", "ipsec", "dpd", "health_check", "bgp"];

/** The fields of a patch: [["ike.dh_group", "group14"], …]. */
export function fields(changes) {
  return Object.entries(changes).flatMap(([name, member]) =>
    GROUPS.includes(name) && member !== null && typeof member === "object"
      ? Object.entries(member).map(([inner, value]) => [`${name}.${inner}`, value])
      : [[name, member]]);
}

/** A JSON pointer as a dotted field name: "/ike/dh_group" is "ike.dh_group". */
export function field(pointer) { return pointer.replace(/^\//, "").replaceAll("/", "."); }

/** The cloud's answer, if there is one. */
export function cloudWords(upstream) {
  if (!upstream) return null;
  // The cloud's code for success is 0.
  const code = upstream.code === "0" ? "" : [upstream.code, upstream.code_desc].filter(Boolean).join(" ");
  const facts = [
    upstream.action && ["Call", h("code", {}, upstream.action)],
    code && ["Code", h("code", {}, code)],
    upstream.message && ["The cloud says", h("q", {}, upstream.message)],
    upstream.task_id && ["Task", h("code", {}, upstream.task_id)],
    typeof upstream.latency_ms === "number" && ["Latency", `${upstream.latency_ms} ms${upstream.attempts > 1 ? `, ${upstream.attempts} attempts` : ""}`],
  ].filter(Boolean);
  if (facts.length === 0) return null;
  return h("dl", { class: "facts inline" }, facts.map(([name, fact]) => h("div", {}, h("dt", {}, name), h("dd", {}, fact))));
}

/** Two values of each field: the requested or expected one, and the observed one. */
export function differences(list, heads = ["Requested", "Observed"], caption = "Requested and observed values") {
  return h("table", { class: "differences" },
    h("caption", {}, caption),
    h("thead", {}, h("tr", {}, ["Field", ...heads].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, list.map((one) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, field(one.pointer))),
      h("td", {}, value("expected" in one ? one.expected : one.asked)), h("td", { class: "observed" }, value(one.observed))))));
}

/** A preview of a change: what the tunnel has, and what it would have. `secret` is shown for the wanted pre-shared key. */
export function preview(list, caption, after, secret) {
  return h("table", { class: "asked" },
    h("caption", {}, caption),
    h("thead", {}, h("tr", {}, ["Field", "Now", after].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, list.map((one) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, field(one.pointer))),
      h("td", {}, value(one.current)),
      h("td", {}, one.pointer === KEY ? secret : value(one.wanted),
        one.differs === false && h("span", { class: "note" }, "no change"))))));
}

/** The pointer of the pre-shared key, which no answer contains. */
export const KEY = "/pre_shared_key";
