// Rolling an operation back: a button on an operation that has ended, and a dialog that shows what a rollback would do,
// asks, and sends it. Everything else in the console only reads.

import { post } from "./api.js";
import { failure, h, put } from "./dom.js";
import { differences, field, icon, value } from "./words.js";

/** The statuses of operations that may have changed something. */
const MAY_HAVE_CHANGED = ["succeeded", "diverged", "timed_out"];

/** A key of its own for each dialog: a request that is repeated after a lost connection is never sent twice. */
function newKey() {
  // crypto.randomUUID needs HTTPS.
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function reasons(faults) {
  return h("ul", {}, faults.map((fault) => h("li", {}, h("code", {}, field(fault.pointer)), ` – ${fault.detail}`)));
}

/** What the tunnel has now, and what it would have. */
function preview(fields) {
  return h("table", { class: "asked" },
    h("caption", {}, "What the rollback changes"),
    h("thead", {}, h("tr", {}, ["Field", "Now", "After the rollback"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, fields.map((one) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, field(one.pointer))),
      h("td", {}, value(one.current)),
      h("td", {}, one.pointer === KEY ? "the key that you give below" : value(one.wanted),
        one.differs === false && h("span", { class: "note" }, "no change"))))));
}

const KEY = "/pre_shared_key";

class Dialog {
  #operation; #signal; #key = newKey(); #wantsReason;
  /** The dry run that is shown, and whether it overrides later changes. */
  #shown = null; #force = false;
  /** The request whose answer is not known: only the same one may be sent again. */
  #unanswered = null;
  #said = h("div"); #content = h("div");
  #secret = h("input", { id: "old-key", type: "password", autocomplete: "off", spellcheck: "false", required: true, "aria-describedby": "old-key-why" });
  #secretField = h("div", { class: "field wide", hidden: true }, h("label", { for: "old-key" }, "Pre-shared key before the change"), this.#secret,
    h("p", { id: "old-key-why", class: "muted" }, "The gateway stores no keys. It compares this one's fingerprint with the key that the tunnel had."));
  #reason = h("input", { id: "rollback-reason", type: "text", maxlength: 500, autocomplete: "off" });
  #reasonLabel = h("label", { for: "rollback-reason" });
  #override = h("input", { id: "override", type: "checkbox" });
  #overrideField = h("p", { hidden: true }, this.#override, h("label", { for: "override", class: "beside" }, "Undo these later changes too"));
  #send = h("button", { type: "submit", class: "primary" }, "Roll back");
  #cancel = h("button", { type: "button", onclick: () => this.element.close() }, "Cancel");

  constructor(operation, signal, wantsReason) {
    [this.#operation, this.#signal, this.#wantsReason] = [operation, signal, wantsReason];
    this.#override.addEventListener("change", () => this.#ready());
    this.element = h("dialog", { class: "rollback", "aria-labelledby": "rollback-title", onclose: () => this.element.remove() },
      h("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); this.#submit(); } },
        h("h2", { id: "rollback-title", tabindex: "-1" }, `Roll back ${operation.tunnel.tunnel_id}`),
        h("p", {}, icon("warn"), "This changes the tunnel: the gateway sends the values below to the cloud, as a new operation."),
        this.#content, this.#overrideField, this.#secretField,
        h("div", { class: "field wide" }, this.#reasonLabel, this.#reason), this.#said,
        h("div", { class: "actions" }, this.#cancel, this.#send)));
    put(this.#reasonLabel, wantsReason ? "Reason (required here)" : "Reason (optional)");
  }

  /** Shows the dialog over the page. */
  open() {
    document.getElementById("main").append(this.element);
    this.#signal.addEventListener("abort", () => this.element.close(), { once: true });
    this.element.showModal();
    this.#look();
  }

  #ask(parameters, options = {}) {
    const path = `operations/${encodeURIComponent(this.#operation.id)}/rollback`;
    return post(path, { reason: this.#reason.value.trim(), ...parameters }, { signal: this.#signal, ...options });
  }

  /** Shows what would be put back. A later change is shown first, and then what overriding it would do. */
  async #look() {
    this.#shown = null;
    // Consent to the differences that were shown, not to those that are shown next.
    this.#override.checked = false;
    this.#ready();
    put(this.#said);
    if (this.#wantsReason && !this.#reason.value.trim()) {
      put(this.#content, h("p", {}, "This gateway requires a reason with every change, and with its preview too."));
      return this.#reason.focus();
    }
    put(this.#content, h("p", { class: "muted", role: "status" }, "Reading the tunnel…"));
    try {
      const later = await this.#dryRun();
      this.#overrideField.hidden = !this.#force;
      this.#secretField.hidden = !this.#shown.fields.some((one) => one.pointer === KEY);
      const other = this.#shown.operation_in_progress;
      put(this.#content, later, preview(this.#shown.fields),
        other && h("p", { class: "notice warn" }, icon("warn"), "Another change of this tunnel is in progress: ",
          h("a", { href: `#/operations/${other}` }, "wait for its end"), "."));
    } catch (error) {
      if (this.#signal.aborted) return undefined;
      this.#refused(error);
    }
    return this.#ready();
  }

  /** A dry run; if the tunnel has changed since, the differences, and a dry run that overrides them. */
  async #dryRun() {
    this.#force = false;
    try {
      this.#shown = await this.#ask({ dry_run: true });
      return null;
    } catch (error) {
      if (error.code !== "changed_since") throw error;
      this.#force = true;
      this.#shown = await this.#ask({ dry_run: true, force: true });
      return h("div", { class: "notice warn" },
        h("p", {}, icon("warn"), "The tunnel has changed since this operation. A rollback undoes that change too."),
        differences(error.differences, ["This operation left", "Now"], "Changed since the operation"));
    }
  }

  /** Allows sending only what is shown and confirmed. */
  #ready() {
    const isWaiting = this.#shown === null && !this.#wantsReason;
    this.#send.disabled = isWaiting || (this.#force && !this.#override.checked);
    const preview = this.#shown === null && this.#wantsReason ? "Show the preview" : "Roll back";
    put(this.#send, this.#unanswered ? "Try again" : preview);
    for (const input of [this.#secret, this.#reason, this.#override]) input.disabled = this.#unanswered !== null;
  }

  async #submit() {
    if (this.#send.disabled) return undefined;
    if (this.#wantsReason && !this.#reason.value.trim()) return this.#reason.focus();
    if (this.#shown === null) return this.#look();
    if (!this.#secretField.hidden && !this.#secret.value) {
      put(this.#said, h("p", { class: "notice bad", role: "alert" }, "Give the pre-shared key before the change."));
      this.#secret.setAttribute("aria-invalid", "true");
      return this.#secret.focus();
    }
    this.#unanswered ??= [{ force: this.#force || null }, {
      body: this.#secretField.hidden ? {} : { pre_shared_key: this.#secret.value },
      // What is shown is what is done: the tag refuses a tunnel that has changed meanwhile.
      headers: { "idempotency-key": this.#key, "if-match": this.#shown.etag },
    }];
    this.#ready();
    this.#send.disabled = true;
    put(this.#said, h("p", { class: "muted", role: "status" }, "Sending…"));
    try {
      const started = await this.#ask(...this.#unanswered);
      this.element.close();
      location.hash = `#/operations/${started.id}`;
    } catch (error) {
      if (this.#signal.aborted) return undefined;
      await this.#notDone(error);
    }
    return undefined;
  }

  async #notDone(error) {
    // Without an answer the gateway may have sent the rollback. The same request with the same key finds out.
    const isInFlight = error.code === "idempotency_key_in_flight";
    const isUnanswered = (error.status === 0 || error.status >= 500) && !error.operationId;
    if (isInFlight || isUnanswered) {
      put(this.#said, h("div", { class: "notice warn", role: "alert" },
        h("p", {}, icon("warn"), error.message, " The gateway may have received the rollback. Trying again is safe: it is never sent twice.")));
      return this.#ready();
    }
    this.#unanswered = null;
    if (error.code === "precondition_failed" || error.code === "changed_since") {
      await this.#look();
      put(this.#said, h("p", { class: "notice warn", role: "alert" }, icon("warn"), "The tunnel has changed meanwhile; nothing was sent. This is what a rollback would do now."));
      return undefined;
    }
    // A refusal that became an operation used the key up.
    if (error.operationId && error.operationId !== this.#operation.id) this.#key = newKey();
    this.#refused(error);
    return this.#ready();
  }

  #refused(error) {
    if (error.code === "reason_required") {
      this.#wantsReason = true;
      put(this.#reasonLabel, "Reason (required here)");
      if (this.#shown === null) put(this.#content);
      this.#reason.focus();
    } else if (this.#shown === null) {
      put(this.#content);
    }
    put(this.#said, error.code === "not_reversible"
      ? h("div", { class: "notice bad", role: "alert" }, h("p", {}, error.message), reasons(error.faults))
      : failure(error, this.#shown === null ? () => this.#look() : null));
  }
}

/** The VPCs that the token may not change, as far as they are known. */
const readOnly = new Set();

/** Forgets what an earlier token may not do. */
export function forget() { readOnly.clear(); }

/** Shows the button if the operation can be rolled back and the token may do it. A dry run tells both. */
export async function offer(place, operation, signal) {
  const vpc = operation.tunnel.vpc_id;
  if (!MAY_HAVE_CHANGED.includes(operation.status) || operation.before === null || readOnly.has(vpc)) return;
  let wantsReason = false;
  try {
    await post(`operations/${encodeURIComponent(operation.id)}/rollback`, { dry_run: true }, { signal });
  } catch (error) {
    if (!signal.aborted && error.status === 403) readOnly.add(vpc);
    if (signal.aborted || [401, 403, 404].includes(error.status)) return;
    if (error.code === "not_reversible") {
      put(place, h("details", { class: "panel" }, h("summary", {}, "This change can't be rolled back"), reasons(error.faults)));
      return;
    }
    wantsReason = error.code === "reason_required";
  }
  put(place, h("p", {}, h("button", { type: "button", id: "roll-back", "aria-haspopup": "dialog",
    onclick: () => new Dialog(operation, signal, wantsReason).open() }, "Roll back…")));
}
