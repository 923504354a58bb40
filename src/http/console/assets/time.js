// Times and durations. Exact times are in UTC, as in the audit log.

import { now } from "./api.js";
import { h } from "./dom.js";

const UNITS = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000], ["s", 1000]];

/** "3 min ago". */
export function relative(moment) {
  const gone = now() - Date.parse(moment);
  if (gone < 1500) return "just now";
  const [unit, length] = UNITS.find(([, length]) => gone >= length) ?? UNITS.at(-1);
  return `${Math.floor(gone / length)} ${unit} ago`;
}

/** "2026-11-25 11:40:47.752", in UTC. */
export function exact(moment, decimals = 3) {
  const text = new Date(Date.parse(moment)).toISOString().replace("T", " ").replace("Z", "");
  return decimals === 0 ? text.slice(0, 19) : text;
}

/** "320 ms", "4.2 s", "3 min 5 s". */
export function duration(milliseconds) {
  if (milliseconds < 1000) return `${Math.max(0, Math.round(milliseconds))} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.floor(milliseconds / 1000);
  const parts = [["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = parts.findIndex(([, length]) => seconds >= length);
  const [[bigUnit, big], small] = [parts[first], parts[first + 1]];
  const rest = Math.floor((seconds % big) / (small?.[1] ?? 1));
  return `${Math.floor(seconds / big)} ${bigUnit}${small && rest ? ` ${rest} ${small[0]}` : ""}`;
}

export function between(start, end) {
  return duration(Date.parse(end) - Date.parse(start));
}

/** A time: its age, kept up to date, and the exact value. */
export function when(moment) {
  return h("time", { datetime: moment, class: "when", title: `${exact(moment)} UTC` },
    h("span", { class: "ago", "data-since": moment }, relative(moment)),
    h("span", { class: "exact" }, `${exact(moment, 0)} UTC`));
}

/** The duration since a start, kept up to date. */
export function lasting(start) {
  return h("span", { "data-lasting": start }, duration(now() - Date.parse(start)));
}

/** A countdown in seconds. */
export function until(milliseconds) {
  const moment = Date.now() + milliseconds;
  return h("span", { "data-until": moment }, countdown(moment));
}

function countdown(moment) {
  const seconds = Math.ceil((moment - Date.now()) / 1000);
  return seconds > 0 ? `in ${seconds} s` : "now";
}

function tick() {
  if (document.hidden) return;
  for (const element of document.querySelectorAll("[data-since]")) element.textContent = relative(element.dataset.since);
  for (const element of document.querySelectorAll("[data-lasting]")) {
    element.textContent = duration(now() - Date.parse(element.dataset.lasting));
  }
  for (const element of document.querySelectorAll("[data-until]")) element.textContent = countdown(Number(element.dataset.until));
}

setInterval(tick, 1000);
document.addEventListener("visibilitychange", tick);
