// One tunnel as the cloud has it, its last changes, and the form that changes it.

import { gentle, get } from "./api.js";
import { ChangeForm } from "./change.js";
import { failure, h, put } from "./dom.js";
import { Settings } from "./form.js";
import { keepUp } from "./list.js";
import { pathOf } from "./paths.js";
import { peer } from "./peer.js";
import { mayChange } from "./rights.js";
import { members, peerFormats } from "./schema.js";
import { when } from "./time.js";
import { field, fields, icon, isFinal, statusOf, value, words } from "./words.js";

/** The shortest interval between two looks at the tunnel's operations; the key's rate limit can lengthen it. */
const INTERVAL = 5000;
/** The number of operations that are shown. */
const SHOWN = 5;

const TONES = { running: "good", modifying: "moving", creating: "moving", connected: "good", disconnected: "bad" };

/** The state of a tunnel, and whether its ends are connected. */
export function stateOf({ status, connectivity }) {
  return [status, connectivity].filter(Boolean).map((word) => {
    const tone = TONES[word] ?? (word.endsWith("failed") ? "bad" : "quiet");
    return h("span", { class: `badge ${tone}` }, icon(tone), words(word), " ");
  });
}

function facts(tunnel) {
  const code = (text) => (text ? h("code", {}, text) : null);
  const list = [
    ["Name", tunnel.name], ["VPC", code(tunnel.vpc_id)], ["Gateway", code(tunnel.gateway_id)],
    ["Account", [tunnel.account, h("span", { class: "muted" }, ` (${tunnel.region}, API ${tunnel.api})`)]],
    ["Gateway address", code(tunnel.gateway_address)], ["Peer address", code(tunnel.peer_address)],
    ["Ranges of the VPC", tunnel.local_cidrs && code(tunnel.local_cidrs.join(", "))], ["Created", tunnel.created_at],
  ].filter(([, fact]) => fact);
  return h("dl", { class: "facts" }, list.map(([name, fact]) => h("div", {}, h("dt", {}, name), h("dd", {}, fact))));
}

/** What was changed outside of the gateway, if it watches for that. */
function driftOf(list) {
  if (list.length === 0) return null;
  return h("section", { "aria-labelledby": "drift" }, h("h2", { id: "drift" }, "Drift"),
    h("p", {}, icon("warn"), "Changed outside of this gateway."),
    h("ol", { class: "last" }, list.map((one) => h("li", {}, h("code", {}, field(one.pointer)), " is ", value(one.observed),
      " and was set to ", value(one.set),
      h("p", { class: "muted" }, "seen ", when(one.since), ", set by ", h("a", { href: `#/operations/${one.operation_id}` }, "this operation"))))));
}

/** The last operations of a tunnel. */
function changesOf(items) {
  if (items.length === 0) return h("p", { class: "muted" }, "No change was made through this gateway.");
  return h("ol", { class: "last" }, items.map((one) => h("li", {},
    h("span", { class: "status" }, statusOf(one)), " ",
    h("a", { href: `#/operations/${one.id}` }, fields(one.changes).map(([name]) => name).join(", ")),
    h("p", { class: "muted" }, `by ${one.requested_by} `, when(one.created_at)))));
}

export function tunnel(view, vpc, gateway, id) {
  const path = pathOf({ vpc_id: vpc, gateway_id: gateway, tunnel_id: id });
  const [status, trouble, known, body, drift, changes] = [h("span", { class: "status" }), h("div"), h("div"), h("div"), h("div"), h("div")];
  let form = null;
  let last = null;

  function show(found) {
    put(status, stateOf(found));
    put(known, facts(found));
    put(drift, driftOf(found.drift));
    form?.settings.show(found);
  }

  async function read() {
    const found = await get(path, {}, { signal: view.signal });
    show(found);
    return found;
  }

  async function begin() {
    const [found, schemas, formats, isWriter] = await Promise.all([read(), members(), peerFormats(), mayChange(path, vpc, view.signal)]);
    if (view.signal.aborted) return;
    form = isWriter ? new ChangeForm(schemas, found, view.signal, () => read().catch(() => null)) : { settings: new Settings(schemas, found, false) };
    put(body, h("div", { class: "columns" },
      h("section", { "aria-labelledby": "settings" }, h("h2", { id: "settings" }, isWriter ? "Settings, and a change" : "Settings"), form.element ?? form.settings.element),
      // Beside the settings: what else the gateway knows of the tunnel, a section each.
      h("div", { class: "side" }, drift,
        h("section", { "aria-labelledby": "last" }, h("h2", { id: "last" }, "Last changes"), changes),
        peer(path, id, formats, view.signal))));
  }

  /** Reads the tunnel again when an operation on it has ended. */
  async function lookAtChanges() {
    const { items } = await get("operations", { vpc_id: vpc, tunnel_id: id, limit: SHOWN }, { signal: view.signal });
    const text = JSON.stringify(items);
    if (text === last) return;
    if (last !== null && items.length > 0 && isFinal(items[0].status)) await read();
    put(changes, changesOf(items));
    last = text;
  }

  view.root.append(
    h("p", { class: "crumb" }, h("a", { href: `#/tunnels?${new URLSearchParams({ vpc_id: vpc, gateway_id: gateway })}` }, "Tunnels"), " /"),
    h("div", { class: "head" }, h("h1", { tabindex: "-1" }, id, " ", status)), trouble, known, body);
  document.title = `${id} – tunnelgate`;
  const wake = keepUp(view.signal, async () => {
    try {
      if (form === null) await begin();
      await lookAtChanges();
      put(trouble);
      return gentle(INTERVAL);
    } catch (missing) {
      if (missing.status !== 404) throw missing;
      put(trouble, h("p", { class: "notice bad", role: "alert" }, "This tunnel does not exist, or your token may not read it."));
      return null;
    }
  }, (failed) => put(trouble, failure(failed, () => wake())));
}
