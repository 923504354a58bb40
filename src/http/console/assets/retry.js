// Requests without a known answer: the notices above each view, and the dialog that sends one again.

import { now } from "./api.js";
import { failure, h, put } from "./dom.js";
import { hashOf, operationsOf } from "./paths.js";
import { when } from "./time.js";
import { field, fields, icon, value } from "./words.js";
import { all, drop, find, isForgetful, onChange } from "./unanswered.js";
import { again } from "./writes.js";

/** A request that was sent a shorter time ago, in milliseconds, may be in progress: in this tab or another one. */
const FRESH = 3000;

const kindOf = ({ operation }) => (operation === null ? "change" : "rollback");

function asked({ body, needsKey, parameters, operation }) {
  const list = fields(body);
  return [
    operation !== null && h("p", {}, "Rolls back ", h("a", { href: `#/operations/${operation}` }, "this operation"), "."),
    (list.length > 0 || needsKey) && h("table", { class: "asked" }, h("caption", {}, "Requested"),
      h("tbody", {}, list.map(([name, what]) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, name)), h("td", {}, value(what)))),
        needsKey && h("tr", {}, h("th", { scope: "row" }, h("code", {}, "pre_shared_key")), h("td", {}, "the key that you gave")))),
    parameters.reason && h("p", {}, "Reason: ", h("q", {}, parameters.reason)),
  ];
}

class Dialog {
  #entry; #isSending = false;
  #said = h("div");
  #secret = h("input", { id: "same-key", type: "password", autocomplete: "off", spellcheck: "false", required: true, "aria-describedby": "same-key-why" });
  #secretField;
  #send = h("button", { type: "submit", class: "primary" }, "Try again");
  #later = h("button", { type: "button", onclick: () => this.element.close() }, "Later");
  #forget;

  constructor(entry) {
    this.#entry = entry;
    const { tunnel } = entry;
    // The page keeps no keys beyond a reload.
    this.#secretField = entry.needsKey && entry.secret === undefined && h("div", { class: "field wide" },
      h("label", { for: "same-key" }, "Pre-shared key of that request"), this.#secret,
      h("p", { id: "same-key-why", class: "muted" }, "This page does not store keys: type the same one. The gateway refuses another one if the request has arrived; if not, it sends what you type."));
    this.#forget = h("details", {}, h("summary", {}, "Forget this request"),
      h("p", {}, "It is not taken back: if it has arrived, the gateway carries it out. Look at ",
        h("a", { href: operationsOf(tunnel) }, "the tunnel's operations"), " before you send another one."),
      h("button", { type: "button", onclick: () => { this.element.close(); drop(entry.key); } }, "Forget it"));
    this.element = h("dialog", { class: "retry", "aria-labelledby": "retry-title", onclose: () => this.element.remove() },
      h("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); this.#submit(); } },
        h("h2", { id: "retry-title", tabindex: "-1" }, `A ${kindOf(entry)} of ${tunnel.tunnel_id} without an answer`),
        h("p", { class: "muted" }, "sent ", when(new Date(entry.sent).toISOString())), asked(entry), this.#secretField, this.#said, this.#forget,
        h("div", { class: "actions" }, this.#later, this.#send)));
  }

  open(message) {
    document.getElementById("main").append(this.element);
    this.#isOpen(message);
    this.element.showModal();
    document.getElementById("retry-title").focus();
  }

  #isOpen(message) {
    put(this.#said, h("div", { class: "notice warn", role: "alert" },
      h("p", {}, icon("warn"), message, " The gateway may have received it. Trying again is safe: it is never sent twice.")));
  }

  /** Shows the end of the request: nothing can be tried again. */
  #ends(...what) {
    put(this.#said, what);
    for (const element of [this.#send, this.#forget, this.#secretField]) if (element) element.remove();
    put(this.#later, "Close");
    this.#later.focus();
  }

  async #submit() {
    if (this.#isSending) return;
    const entry = find(this.#entry.key);
    if (entry === null) return this.#ends(h("p", { class: "notice", role: "status" }, "This page no longer keeps that request: its answer has come, or it is too old to try again. Nothing was sent again. See ",
      h("a", { href: operationsOf(this.#entry.tunnel) }, "the tunnel's operations"), "."));
    const secret = entry.secret ?? this.#secret.value;
    if (entry.needsKey && !secret) {
      put(this.#said, h("p", { class: "notice bad", role: "alert" }, "Type the pre-shared key of that request."));
      return this.#secret.focus();
    }
    // A disabled button would lose the focus.
    this.#isSending = true;
    put(this.#said, h("p", { class: "muted", role: "status" }, "Sending…"));
    try {
      this.#goTo((await again(entry, secret)).id);
    } catch (error) {
      if (this.element.isConnected) this.#notDone(error);
    }
    this.#isSending = false;
  }

  #goTo(operation) {
    if (!this.element.isConnected) return;
    this.element.close();
    location.hash = `#/operations/${operation}`;
  }

  #notDone(error) {
    const { code, operationId } = error;
    if (code === "idempotency_key_reused") {
      put(this.#said, h("div", { class: "notice bad", role: "alert" }, h("p", {}, "That request has arrived, with another key than this one. Nothing was sent. Type its key, or look at ",
        h("a", { href: operationsOf(this.#entry.tunnel) }, "the tunnel's operations"), ".")));
      return this.#secret.focus();
    }
    if (error.isOpen && code === "invalid_patch") {
      put(this.#said, h("div", { class: "notice bad", role: "alert" },
        h("p", {}, "Nothing was sent: the gateway does not accept this as the key of that request. Whether the request has arrived is not known yet. Type its key."),
        h("ul", {}, error.faults.map(({ pointer, detail }) => h("li", {}, h("code", {}, field(pointer)), ` – ${detail}`)))));
      return this.#secret.focus();
    }
    if (error.isOpen) return this.#isOpen(error.message);
    // The cloud refused the change, or it was never sent: the operation has the details.
    if (operationId && code !== "operation_in_progress") return this.#goTo(operationId);
    const isStale = code === "precondition_failed" || code === "changed_since";
    return this.#ends(isStale
      ? h("p", { class: "notice warn", role: "alert" }, icon("warn"), "It had not arrived, and the tunnel has changed meanwhile: nothing was sent. Look at ",
        h("a", { href: hashOf(this.#entry.tunnel) }, "its values"), ", and begin again.")
      : failure(error, null), operationId && h("p", {}, h("a", { href: `#/operations/${operationId}` }, "The other operation"), "."));
  }
}

/** Offers to send a request without a known answer again. `message` says why. */
export function offerRetry(entry, message = `This ${kindOf(entry)} has no answer yet.`) { new Dialog(entry).open(message); }

/** Keeps the notices about requests without an answer up to date in this place. */
export function keepNotices(place) {
  let shown = "";
  let timer;
  function draw() {
    clearTimeout(timer);
    const entries = all();
    const old = entries.filter(({ sent }) => now() - sent >= FRESH);
    if (old.length < entries.length) timer = setTimeout(draw, FRESH);
    const keys = [isForgetful(), ...old.map(({ key }) => key)].join();
    if (keys === shown) return;
    shown = keys;
    place.hidden = old.length === 0 && !isForgetful();
    put(place, isForgetful() && h("p", { class: "muted" }, "This gateway does not tell whom your token belongs to: a request without an answer is not kept beyond a reload or signing out."), old.map((entry) => h("div", { class: "notice warn", role: "status" },
      h("p", {}, icon("warn"), `Your ${kindOf(entry)} of `, h("a", { href: hashOf(entry.tunnel) }, entry.tunnel.tunnel_id), ", sent ",
        when(new Date(entry.sent).toISOString()), ", has no answer yet. "),
      h("button", { type: "button", class: "find-out", "aria-haspopup": "dialog", onclick: () => offerRetry(entry) }, "Find out…"))));
  }
  onChange(draw);
  draw();
}
