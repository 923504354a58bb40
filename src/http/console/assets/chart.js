// Changes and failures over time. Changes point up and failures down, so that they differ without colours too.

import { h, svg } from "./dom.js";
import { exact } from "./time.js";
import { FAILURES, words } from "./words.js";

const [HEIGHT, LEFT, MIDDLE] = [190, 44, 118];
const [TOP, BOTTOM] = [10, 168];

/** The chart's time ranges. */
export const RANGES = {
  "1h": { label: "last hour", bucket: "1m", buckets: 60, seconds: 60, says: "minute" },
  "24h": { label: "last 24 hours", bucket: "1h", buckets: 24, seconds: 3600, says: "hour" },
  "7d": { label: "last 7 days", bucket: "6h", buckets: 28, seconds: 21_600, says: "6 hours" },
  "30d": { label: "last 30 days", bucket: "1d", buckets: 30, seconds: 86_400, says: "day" },
  "365d": { label: "last 365 days", bucket: "1d", buckets: 365, seconds: 86_400, says: "day" },
};

/** The start of a range's oldest bucket. All buckets but the newest are complete. */
export function startOf(range, now) {
  const length = range.seconds * 1000;
  return new Date((Math.floor(now / length) - range.buckets + 1) * length).toISOString();
}

/** Counts by bucket, including empty buckets. */
function series(counts, range) {
  const length = range.seconds * 1000;
  const start = Date.parse(counts.created_after);
  const buckets = Array.from({ length: range.buckets }, (_, index) =>
    ({ from: new Date(start + index * length).toISOString(), changes: 0, failures: 0, kinds: {} }));
  for (const { from, event, count } of counts.items) {
    const bucket = buckets[Math.floor((Date.parse(from) - start) / length)];
    if (!bucket) continue;
    bucket.kinds[event] = count;
    if (event === "requested") bucket.changes += count;
    if (FAILURES.includes(event)) bucket.failures += count;
  }
  return buckets;
}

/** The smallest round number that is not smaller. */
function ceiling(most) {
  for (let unit = 1; ; unit *= 10) for (const step of [1, 2, 3, 4, 5, 6, 8]) if (step * unit >= most) return step * unit;
}

function details(bucket) {
  const bad = FAILURES.filter((kind) => bucket.kinds[kind]).map((kind) => `${bucket.kinds[kind]} ${words(kind)}`);
  return bad.length > 0 ? bad.join(", ") : "none";
}

function label(moment, range) {
  const text = exact(moment, 0);
  return range.seconds >= 86_400 ? text.slice(5, 10) : range.seconds >= 21_600 ? text.slice(5, 13).concat("h") : text.slice(11, 16);
}

function drawing(buckets, range, summary, width) {
  const [most, worst] = [Math.max(...buckets.map((b) => b.changes)), Math.max(...buckets.map((b) => b.failures))];
  // One scale for both directions.
  const top = ceiling(Math.max(most, worst, 1));
  const up = (MIDDLE - TOP) / top;
  const down = Math.min(up, (BOTTOM - MIDDLE) / Math.max(worst, 1));
  const slot = (width - LEFT) / buckets.length;
  const bar = Math.max(1, slot * 0.72);
  const every = Math.ceil(buckets.length / Math.max(2, Math.floor(width / 110)));
  const bars = buckets.flatMap((bucket, index) => {
    const x = LEFT + index * slot + (slot - bar) / 2;
    const [rise, fall] = [bucket.changes * up, bucket.failures * down];
    const isOpen = index === buckets.length - 1;
    return [
      svg("g", { class: isOpen ? "bucket open" : "bucket" },
        svg("title", {}, `${exact(bucket.from, 0)} UTC: ${bucket.changes} requested; failures: ${details(bucket)}`),
        svg("rect", { x: LEFT + index * slot, y: TOP, width: slot, height: BOTTOM - TOP, class: "catch" }),
        rise > 0 && svg("rect", { x, y: MIDDLE - rise, width: bar, height: rise, class: "changes" }),
        fall > 0 && svg("rect", { x, y: MIDDLE + 1, width: bar, height: fall, class: "failures" })),
      index % every === 0 && svg("text", { x: LEFT + index * slot, y: HEIGHT - 4, class: "axis" }, label(bucket.from, range)),
    ];
  });
  const line = (y, text) => [svg("line", { x1: LEFT, x2: width, y1: y, y2: y, class: "grid" }),
    svg("text", { x: LEFT - 8, y: y + 4, class: "axis end" }, text)];
  return svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, class: "chart", role: "img", "aria-label": summary },
    line(TOP, String(top)), top > 1 && top % 2 === 0 && line((TOP + MIDDLE) / 2, String(top / 2)),
    worst > 0 && line(MIDDLE + worst * down + 1, `−${worst}`), bars.flat(),
    svg("line", { x1: LEFT, x2: width, y1: MIDDLE, y2: MIDDLE, class: "zero" }),
    svg("text", { x: LEFT - 8, y: MIDDLE + 4, class: "axis end" }, "0"));
}

/** The chart with its width in pixels, and a table of the same numbers. */
export function chart(counts, range, isFiltered, width) {
  const buckets = series(counts, range);
  const total = (kind) => buckets.reduce((sum, bucket) => sum + bucket[kind], 0);
  const [changes, failures] = [total("changes"), total("failures")];
  const summary = `${changes} ${changes === 1 ? "change" : "changes"} requested and ${failures} ${failures === 1 ? "failure" : "failures"} in the ${range.label}`;
  const filled = buckets.filter((bucket) => Object.keys(bucket.kinds).length > 0).reverse();
  return [
    h("p", { class: "legend" }, h("span", { class: "key changes" }, "↑ requested"), h("span", { class: "key failures" }, "↓ failures"),
      h("strong", { class: "sum" }, `${summary}.`)),
    drawing(buckets, range, `${summary}. The table below has the numbers.`, width),
    h("p", { class: "covers" }, `One bar per ${range.says}, from ${exact(counts.created_after, 0)} to ${exact(counts.created_before, 0)} UTC; the newest bar is incomplete. `,
      "Failures: rejected, failed, timed out, diverged, denied. Only VPCs that your token may read",
      isFiltered ? ", and only events that match the filters on actor, account, tunnel, VPC and operation." : "."),
    h("details", {}, h("summary", {}, "Show as a table"),
      filled.length === 0 ? h("p", { class: "muted" }, "No event in this time range.") : h("table", { class: "numbers" },
        h("caption", { class: "visually-hidden" }, summary),
        h("thead", {}, h("tr", {}, ["From (UTC)", "Requested", "Failures", "Kinds"].map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, filled.map((bucket) => h("tr", {}, h("th", { scope: "row" }, exact(bucket.from, 0)),
          h("td", { class: "number" }, bucket.changes), h("td", { class: "number" }, bucket.failures), h("td", {}, details(bucket))))))),
  ];
}
