// What the device at the other end of a tunnel needs, as configuration for it.

import { ask } from "./api.js";
import { failure, h, put, save } from "./dom.js";

/** A section that shows the configuration in a chosen format. */
export function peer(path, id, formats, signal) {
  const format = h("select", { id: "peer-format" }, formats.map((one) => h("option", { value: one }, one)));
  const shown = h("div", { role: "status" });

  async function look() {
    const chosen = format.value;
    put(shown, h("p", { class: "muted" }, "Reading the tunnel…"));
    try {
      const answer = await ask(`${path}/peer-config`, { format: chosen }, { signal, accept: "text/plain, application/problem+json" });
      const text = await answer.text();
      put(shown, h("p", {}, `The configuration for ${chosen}, of the tunnel as it is now. `,
        h("button", { type: "button", onclick: () => save(text, `${id}-${chosen}.txt`, "text/plain") }, "Save")),
        h("pre", { tabindex: "0", role: "region", "aria-label": `Configuration for ${chosen}` }, text));
    } catch (error) {
      if (!signal.aborted) put(shown, failure(error, null));
    }
  }

  return h("section", { "aria-labelledby": "peer" }, h("h2", { id: "peer" }, "The other end"),
    h("p", { class: "muted" }, "After a change of algorithms, identities, ranges or the key, the peer has to change too. Take its configuration when the operation has ended."),
    h("form", { class: "field", onsubmit: (event) => { event.preventDefault(); look(); } },
      h("label", { for: "peer-format" }, "Configuration for"), format, " ", h("button", { type: "submit" }, "Show")), shown);
}
