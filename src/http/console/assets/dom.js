// Building elements. Every value from the service becomes a text node: no code here parses HTML, and the page's policy
// (trusted-types 'none') would refuse to.

const SVG = "http://www.w3.org/2000/svg";

// Characters that break lines or change the direction of text: with one of them a text shows as another text.
const HIDDEN = /[\u0080-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** The text with hidden controls as \u202e. */
function visible(text) {
  return text.replace(HIDDEN, (hidden) => `\\u${hidden.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function present(children) {
  return children.flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => typeof child === "string" ? visible(child) : child);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...present(children));
  return element;
}

/** An HTML element. A child is an element, a text, or a list of those; an attribute "on…" is a listener. */
export function h(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** An SVG element. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

/** Replaces the children of an element. */
export function put(element, ...children) {
  element.replaceChildren(...present(children));
}

let unsaid = [];

/** Announces a text to screen readers; announces texts of the same moment together. */
export function announce(text) {
  unsaid.push(text);
  if (unsaid.length > 1) return;
  setTimeout(() => {
    document.getElementById("announcer").textContent = unsaid.join(". ");
    unsaid = [];
  }, 100);
}

/** Takes back what was announced, or is about to be. */
export function hush() {
  unsaid = [];
  document.getElementById("announcer").textContent = "";
}

/** An error with a retry button, enabled once the gateway accepts requests again. */
export function failure(error, retry) {
  const pause = error.status === 429 ? error.retryAfter : 0;
  const again = retry && h("button", { type: "button", disabled: pause > 0, onclick: () => {
    // The button disappears; the focus must stay in the page.
    document.querySelector("main h1")?.focus();
    retry();
  } }, "Retry");
  if (again) setTimeout(() => { again.disabled = false; }, 1000 * pause);
  return h("div", { class: pause > 0 ? "notice warn" : "notice bad", role: "alert" },
    h("p", {}, error.message, error.retryAfter > 0 && ` The gateway asks to wait ${error.retryAfter} s.`),
    error.faults?.length > 0 && h("ul", {}, error.faults.map((fault) => h("li", {}, `${fault.pointer} ${fault.detail}`))),
    error.requestId && h("p", { class: "muted" }, "Request ", h("code", {}, error.requestId),
      " – the gateway's log has the details under this id."),
    again);
}

/** Saves bytes or a text as a file. */
export function save(content, name, type) {
  const address = URL.createObjectURL(new Blob([content].flat(), { type }));
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** Waits; an abort signal ends the wait early. */
export function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

/** Waits while the page is hidden; an abort signal ends the wait early. */
export async function untilVisible(signal) {
  while (document.hidden && !signal.aborted) {
    await new Promise((resolve) => {
      document.addEventListener("visibilitychange", resolve, { once: true, signal });
      signal.addEventListener("abort", resolve, { once: true });
    });
  }
}
