// Rolling an operation back: a button on an operation that has ended, and a dialog that shows what a rollback would do,
// asks, and sends it.

import { post } from "./api.js";
import { failure, h, put } from "./dom.js";
import { rollbackOf } from "./paths.js";
import { offerRetry } from "./retry.js";
import { isReadOnly, setReadOnly } from "./rights.js";
import { about } from "./unanswered.js";
import { KEY, differences, field, icon, preview } from "./words.js";
import { send } from "./writes.js";

/** The statuses of operations that may have changed something. */
const MAY_HAVE_CHANGED = ["succeeded", "diverged", "timed_out"];

function reasons(faults) {
  return h("ul", {}, faults.map((fault) => h("li", {}, h("code", {}, field(fault.pointer)), ` – ${fault.detail}`)));
}

class Dialog {
  #operation; #signal; #wantsReason;
  /** The dry run that is shown, and whether it overrides later changes. */
  #shown = null; #force = false;
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

  #ask(parameters) {
    return post(rollbackOf(this.#operation.id), { reason: this.#reason.value.trim(), ...parameters }, { signal: this.#signal });
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
      put(this.#content, later, preview(this.#shown.fields, "What the rollback changes", "After the rollback", "the key that you give below"),
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
    put(this.#send, this.#shown === null && this.#wantsReason ? "Show the preview" : "Roll back");
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
    return this.#sendOnce();
  }

  async #sendOnce() {
    const { id, tunnel } = this.#operation;
    const earlier = about(tunnel);
    if (earlier) {
      // Another tab has sent it meanwhile.
      this.element.close();
      return offerRetry(earlier);
    }
    const request = { tunnel, operation: id, parameters: { reason: this.#reason.value.trim(), force: this.#force || null },
      body: this.#secretField.hidden ? {} : { pre_shared_key: this.#secret.value },
      // What is shown is what is done: the tag refuses a tunnel that has changed meanwhile.
      etag: this.#shown.etag };
    this.#send.disabled = true;
    put(this.#said, h("p", { class: "muted", role: "status" }, "Sending…"));
    try {
      const started = await send(request);
      if (this.#signal.aborted) return undefined;
      this.element.close();
      location.hash = `#/operations/${started.id}`;
    } catch (error) {
      if (!this.#signal.aborted) await this.#notDone(error);
    }
    return undefined;
  }

  async #notDone(error) {
    if (error.isOpen) {
      this.element.close();
      return offerRetry(error.entry, error.message);
    }
    if (error.code === "precondition_failed" || error.code === "changed_since") {
      await this.#look();
      put(this.#said, h("p", { class: "notice warn", role: "alert" }, icon("warn"), "The tunnel has changed meanwhile; nothing was sent. This is what a rollback would do now."));
      return undefined;
    }
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

/** Shows the button if the operation can be rolled back and the token may do it. A dry run tells both. */
export async function offer(place, operation, signal) {
  const vpc = operation.tunnel.vpc_id;
  if (!MAY_HAVE_CHANGED.includes(operation.status) || operation.before === null || isReadOnly(vpc)) return;
  let wantsReason = false;
  try {
    await post(rollbackOf(operation.id), { dry_run: true }, { signal });
  } catch (error) {
    if (!signal.aborted && error.status === 403) setReadOnly(vpc);
    if (signal.aborted || [401, 403, 404].includes(error.status)) return;
    if (error.code === "not_reversible") {
      put(place, h("details", { class: "panel" }, h("summary", {}, "This change can't be rolled back"), reasons(error.faults)));
      return;
    }
    wantsReason = error.code === "reason_required";
  }
  put(place, h("p", {}, h("button", { type: "button", id: "roll-back", "aria-haspopup": "dialog",
    onclick: () => {
      const earlier = about(operation.tunnel);
      if (earlier) offerRetry(earlier);
      else new Dialog(operation, signal, wantsReason).open();
    } }, "Roll back…")));
}
