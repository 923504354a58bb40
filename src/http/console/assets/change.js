// Changing a tunnel: the form, the preview of what the change would do, and the confirmation that sends it.

import { Failure, post } from "./api.js";
import { failure, h, put } from "./dom.js";
import { Settings } from "./form.js";
import { pathOf } from "./paths.js";
import { offerRetry } from "./retry.js";
import { about } from "./unanswered.js";
import { KEY, fields, icon, preview, value } from "./words.js";
import { send } from "./writes.js";

/** What the gateway adds to the patch, because the cloud takes whole groups. */
function completed(plan) {
  const asked = new Set(plan.fields.map((one) => one.pointer));
  const added = fields(plan.merged).filter(([name]) => !asked.has(`/${name.replaceAll(".", "/")}`));
  if (added.length === 0) return null;
  return h("table", { class: "asked", id: "merged" },
    h("caption", {}, "Sent too, as the tunnel has it: the cloud takes whole groups"),
    h("tbody", {}, added.map(([name, what]) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, name)), h("td", {}, value(what))))));
}

function call({ method, host, path, parameters }) {
  return h("details", {}, h("summary", {}, "The call to the cloud"),
    h("p", {}, h("code", {}, `${method} https://${host}${path}`)),
    h("table", { class: "asked" }, h("caption", {}, "Parameters; secrets are masked"),
      h("tbody", {}, parameters.map((one) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, one.name)), h("td", {}, value(one.value)))))));
}

/** The dialog that shows what a change would do, and sends it if it is confirmed. */
class Confirmation {
  #tunnel; #patch; #reason; #plan; #signal; #changed; #isSending = false;
  #content = h("div"); #said = h("div");
  #send = h("button", { type: "submit", class: "primary" }, "Change the tunnel");

  /** `changed` is called if the tunnel has changed since the preview. */
  constructor(tunnel, { patch, reason, plan }, signal, changed) {
    [this.#tunnel, this.#patch, this.#reason, this.#plan, this.#signal, this.#changed] = [tunnel, patch, reason, plan, signal, changed];
    this.element = h("dialog", { class: "confirmation", "aria-labelledby": "confirmation-title", onclose: () => this.element.remove() },
      h("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); this.#submit(); } },
        h("h2", { id: "confirmation-title", tabindex: "-1" }, `Change ${tunnel.tunnel_id}`), this.#content, this.#said,
        h("div", { class: "actions" }, h("button", { type: "button", onclick: () => this.element.close() }, "Cancel"), this.#send)));
  }

  open() {
    document.getElementById("main").append(this.element);
    this.#signal.addEventListener("abort", () => this.element.close(), { once: true });
    this.element.showModal();
    document.getElementById("confirmation-title").focus();
    this.#show();
  }

  #show() {
    const { fields: list, operation_in_progress: other } = this.#plan;
    const isSame = list.every((one) => one.differs === false);
    put(this.#content,
      h("p", {}, icon("warn"), "This changes the tunnel: the gateway sends the values below to the cloud."),
      preview(list, "What the change does", "After the change", "the key that you gave"),
      isSame && h("p", { class: "notice" }, icon("quiet"), "The tunnel has all of these values already."),
      completed(this.#plan), this.#reason && h("p", {}, "Reason: ", h("q", {}, this.#reason)), call(this.#plan.call),
      other && h("p", { class: "notice warn" }, icon("warn"), "Another change of this tunnel is in progress: ",
        h("a", { href: `#/operations/${other}` }, "wait for its end"), "."));
  }

  async #submit() {
    if (this.#isSending) return;
    const earlier = about(this.#tunnel);
    if (earlier) {
      // Another tab has sent it meanwhile.
      this.element.close();
      return offerRetry(earlier);
    }
    // What is shown is what is done: the tag refuses a tunnel that has changed meanwhile.
    const request = { tunnel: this.#tunnel, parameters: { reason: this.#reason }, etag: this.#plan.etag, body: this.#patch };
    // A disabled button would lose the focus.
    this.#isSending = true;
    put(this.#said, h("p", { class: "muted", role: "status" }, "Sending…"));
    try {
      const started = await send(request);
      if (this.#signal.aborted) return undefined;
      this.element.close();
      location.hash = `#/operations/${started.id}`;
    } catch (error) {
      if (!this.#signal.aborted) this.#notDone(error);
    }
    this.#isSending = false;
    return undefined;
  }

  #notDone(error) {
    if (error.isOpen) {
      this.element.close();
      return offerRetry(error.entry, error.message);
    }
    if (error.operationId && error.code !== "operation_in_progress") {
      // The cloud refused the change, or it was never sent: the operation has the details.
      this.element.close();
      location.hash = `#/operations/${error.operationId}`;
      return undefined;
    }
    this.element.close();
    return this.#changed(error);
  }
}

/** The settings of a tunnel as a form: a preview, and a confirmation. */
export class ChangeForm {
  #tunnel; #signal; #read; #isReading = false;
  #said = h("div");
  #reason = h("input", { id: "change-reason", type: "text", maxlength: 500, autocomplete: "off" });
  #reasonLabel = h("label", { for: "change-reason" }, "Reason (optional)");

  /** `read` reads the tunnel again. */
  constructor(schemas, tunnel, signal, read) {
    [this.#tunnel, this.#signal, this.#read] = [tunnel, signal, read];
    this.settings = new Settings(schemas, tunnel, true);
    this.element = h("form", { id: "change", novalidate: true, "aria-labelledby": "settings", onsubmit: (event) => { event.preventDefault(); this.#submit(); } },
      h("p", { class: "muted" }, "An empty field stays as it is.", tunnel.api === "2.0" && " API 2.0 needs the peer ranges or the security policies in every change, and does not show policies: if the tunnel has policies, give them instead of the ranges."),
      this.settings.element,
      h("div", { class: "field wide" }, this.#reasonLabel, this.#reason), this.#said,
      h("div", { class: "actions" }, h("button", { type: "button", onclick: () => this.#clear() }, "Clear"),
        h("button", { type: "submit", class: "primary", "aria-haspopup": "dialog" }, "Show what it changes…")));
  }

  #clear() {
    this.settings.clear();
    this.settings.settle();
    this.#reason.value = "";
    put(this.#said);
  }

  async #submit() {
    if (this.#isReading) return;
    const earlier = about(this.#tunnel);
    if (earlier) return offerRetry(earlier);
    if (!this.settings.check()) return;
    if (this.settings.patch === null) return this.#hasNothing();
    const reason = this.#reason.value.trim();
    this.#isReading = true;
    put(this.#said, h("p", { class: "muted", role: "status" }, "Reading the tunnel…"));
    try {
      // Another client may have changed the ranges of the tunnel.
      if (this.settings.isFilled) await this.#read();
      const { patch } = this.settings;
      if (patch === null) return this.#hasNothing();
      const plan = await post(pathOf(this.#tunnel), { reason, dry_run: true }, { method: "PATCH", body: patch, signal: this.#signal });
      put(this.#said);
      new Confirmation(this.#tunnel, { patch, reason, plan }, this.#signal, (error) => this.#refused(error)).open();
    } catch (error) {
      if (this.#signal.aborted) return;
      this.#refused(error);
    } finally {
      this.#isReading = false;
    }
  }

  #hasNothing() {
    put(this.#said, h("p", { class: "notice", role: "alert" }, "Nothing is to change: every field is empty or as it was."));
  }

  #refused(error) {
    if (error.code === "reason_required") {
      put(this.#reasonLabel, "Reason (required here)");
      this.#reason.focus();
    }
    if (error.code === "precondition_failed") {
      this.#read();
      put(this.#said, h("p", { class: "notice warn", role: "alert" }, icon("warn"), "The tunnel has changed meanwhile; nothing was sent. Look at its values, and preview the change again."));
      return;
    }
    const others = this.settings.complain(error.faults);
    const areMarked = error.faults.length > 0 && others.length === 0;
    const message = areMarked ? "Nothing was sent. Correct the fields that are marked." : error.message;
    const { status, requestId, retryAfter, operationId } = error;
    put(this.#said, failure(new Failure(message, { status, requestId, retryAfter, faults: others }), null),
      operationId && h("p", {}, h("a", { href: `#/operations/${operationId}` }, "The other operation"), "."));
  }
}
