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

/** Says something to those who hear the page rather than see it. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

/** What went wrong, as a sentence, with a way to try again. */
export function failure(error, retry) {
  return h("div", { class: "notice bad", role: "alert" },
    h("p", {}, error.message),
    error.faults?.length > 0 && h("ul", {}, error.faults.map((fault) => h("li", {}, `${fault.pointer} ${fault.detail}`))),
    error.requestId && h("p", { class: "muted" }, "Request ", h("code", {}, error.requestId),
      " – the gateway's log says more under this id."),
    retry && h("button", { type: "button", onclick: retry }, "Try again"));
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
