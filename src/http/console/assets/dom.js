// Building elements. Whatever comes from the service becomes a text node: nothing here parses HTML, and the page's
// policy (trusted-types 'none') would refuse it.

const SVG = "http://www.w3.org/2000/svg";

function present(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
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

/** Puts these children in the place of those that an element has. */
export function put(element, ...children) {
  element.replaceChildren(...present(children));
}

let unsaid = [];

/** Says something to those who hear the page rather than see it. What comes together is said together. */
export function announce(text) {
  unsaid.push(text);
  if (unsaid.length > 1) return;
  setTimeout(() => {
    document.getElementById("announcer").textContent = unsaid.join(". ");
    unsaid = [];
  }, 100);
}

/** What went wrong, as a sentence, with a way to try again: not before the gateway would listen. */
export function failure(error, retry) {
  const pause = error.status === 429 ? error.retryAfter : 0;
  const again = retry && h("button", { type: "button", disabled: pause > 0, onclick: () => {
    // The button goes: the focus must not go with it.
    document.querySelector("main h1")?.focus();
    retry();
  } }, "Try again");
  if (again) setTimeout(() => { again.disabled = false; }, 1000 * pause);
  return h("div", { class: pause > 0 ? "notice warn" : "notice bad", role: "alert" },
    h("p", {}, error.message, pause > 0 && ` The gateway asks for a pause of ${pause} s.`),
    error.faults?.length > 0 && h("ul", {}, error.faults.map((fault) => h("li", {}, `${fault.pointer} ${fault.detail}`))),
    error.requestId && h("p", { class: "muted" }, "Request ", h("code", {}, error.requestId),
      " – the gateway's log says more under this id."),
    again);
}

/** Saves bytes or a text as a file. */
export function save(content, name, type) {
  const address = URL.createObjectURL(new Blob([content].flat(), { type }));
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** Waits, or ends early with the signal. */
export function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

/** Waits while nobody looks at the page, or ends early with the signal. */
export async function untilVisible(signal) {
  while (document.hidden && !signal.aborted) {
    await new Promise((resolve) => {
      document.addEventListener("visibilitychange", resolve, { once: true, signal });
      signal.addEventListener("abort", resolve, { once: true });
    });
  }
}
