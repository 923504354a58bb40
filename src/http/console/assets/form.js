// The form of a change: each field of a patch with the tunnel's value and a control. An empty control leaves the field unchanged.

import { h, put } from "./dom.js";
import { groupsFor, limits, wordsFor } from "./schema.js";
import { field as dotted, value } from "./words.js";

/** A description of the document: words between backticks are code. */
function prose(description) {
  return description.split("`").map((part, index) => (index % 2 === 1 ? h("code", {}, part) : part));
}

/** A select with a first option that means "unchanged". */
function choice(attributes, options) {
  return h("select", attributes, h("option", { value: "" }, "unchanged"), options.map((option) => h("option", { value: option }, option)));
}

function text(attributes) {
  return h("input", { type: "text", autocomplete: "off", spellcheck: "false", autocapitalize: "off", placeholder: "unchanged", ...attributes });
}

function area(attributes) {
  return h("textarea", { rows: 2, spellcheck: "false", autocapitalize: "off", placeholder: "unchanged", ...attributes });
}

function lines(input) { return input.value.split(/[\n,;]+/).map((line) => line.trim()).filter(Boolean); }

/** "10.0.0.0/24: 172.16.0.0/16 172.17.0.0/16". */
function policy(line) {
  const [local, ...peers] = line.split(/[:\s]+/).filter(Boolean);
  return { local_cidr: local, peer_cidrs: peers };
}

/** The controls of a schema and what they ask for: undefined leaves the field unchanged. */
function control(schema, id, api, described) {
  const attributes = { id, "aria-describedby": described };
  const one = (input, read) => ({ inputs: [input], read: () => (input.value === "" ? undefined : read(input)) });
  if (schema.enum) return one(choice(attributes, wordsFor(schema, api)), (input) => input.value);
  if (schema.type === "boolean") return one(choice(attributes, ["true", "false"]), (input) => input.value === "true");
  if (schema.type === "integer") {
    const { minimum: min, maximum: max } = schema;
    return one(text({ ...attributes, type: "number", inputmode: "numeric", step: 1, min, max }), (input) => Number(input.value));
  }
  if (schema.type === "array") {
    const isPolicies = schema.items.type === "object";
    const input = area({ ...attributes, placeholder: isPolicies ? "10.0.0.0/24: 172.16.0.0/16 172.17.0.0/16" : "unchanged" });
    return { inputs: [input], read: () => {
      const all = lines(input);
      return all.length === 0 ? undefined : isPolicies ? all.map(policy) : all;
    } };
  }
  if (schema.oneOf) return variant(schema, id, attributes);
  const isSecret = schema.format === "password";
  return one(text({ ...attributes, type: isSecret ? "password" : "text", maxlength: schema.maxLength }), (input) => input.value);
}

/** A value with a type and a text: an address or a name. */
function variant(schema, id, attributes) {
  const kinds = schema.oneOf.map(({ properties }) => properties.type.const);
  const kind = choice(attributes, kinds);
  const detail = text({ id: `${id}-value`, "aria-label": "value", hidden: true, placeholder: "" });
  const nameOf = () => Object.keys(schema.oneOf[kinds.indexOf(kind.value)]?.properties ?? {}).find((name) => name !== "type");
  kind.addEventListener("change", () => {
    detail.hidden = kind.value === "";
    detail.setAttribute("aria-label", nameOf() ?? "value");
  });
  return { inputs: [kind, detail], read: () => {
    if (kind.value === "") return undefined;
    return { type: kind.value, ...(detail.value.trim() && { [nameOf()]: detail.value.trim() }) };
  } };
}

/** One field: its name and meaning, the tunnel's value, and the control where the token may change the tunnel. */
class Field {
  #now = h("div", { class: "now" }); #fault; #control = null; #schema; #required = undefined;

  constructor({ pointer, name, schema }, api, mayChange) {
    [this.pointer, this.#schema] = [pointer, schema];
    const id = `change${pointer.replaceAll("/", "-")}`;
    this.#now.id = `${id}-now`;
    this.#fault = h("p", { id: `${id}-fault`, class: "fault", hidden: true });
    const limit = limits(schema);
    const about = [prose(schema.description ?? ""), limit && ` ${limit}.`];
    if (mayChange) this.#control = control(schema, id, api, `${id}-about ${id}-now ${id}-fault`);
    const title = mayChange ? h("label", { for: id }, h("code", {}, name)) : h("code", {}, name);
    this.element = h("div", { class: "setting" },
      h("div", {}, title, mayChange && h("p", { id: `${id}-about`, class: "about" }, about)), this.#now,
      this.#control && h("div", {}, this.#control.inputs, this.#fault));
  }

  /** Shows the tunnel's value. */
  show(tunnel) {
    const found = this.pointer.slice(1).split("/").reduce((at, name) => at?.[name], tunnel);
    put(this.#now, h("span", { class: "visually-hidden" }, "now: "),
      found === null || found === undefined ? h("span", { class: "muted" }, "not shown") : value(found));
  }

  /** Contains a value that every change must contain: what was typed instead stays. */
  require(list) {
    const isAsFilled = this.#isAsFilled;
    this.#required = list.length > 0 ? list : undefined;
    if (isAsFilled) [this.#control.inputs[0].value, this.#control.inputs[0].rows] = [list.join("\n"), Math.min(6, Math.max(2, list.length))];
  }

  get asked() { return this.#control.read(); }

  get #isAsFilled() { return JSON.stringify(this.asked) === JSON.stringify(this.#required); }

  /** True if the control asks for nothing but what every change must contain. */
  get isUntouched() { return this.asked === undefined || this.#isAsFilled; }

  /** What is wrong with the control's content before anything is asked; null if nothing is. */
  get wrong() {
    const [input] = this.#control.inputs;
    if (input.validity.valid) return null;
    return `must be a whole number${this.#schema.minimum === undefined ? "" : ` from ${limits(this.#schema)}`}`;
  }

  complain(detail) {
    const text = [this.#fault.textContent, detail].filter(Boolean).join(" ");
    put(this.#fault, text);
    this.#fault.hidden = false;
    for (const input of this.#control.inputs) input.setAttribute("aria-invalid", "true");
  }

  settle() {
    put(this.#fault);
    this.#fault.hidden = true;
    for (const input of this.#control.inputs) input.removeAttribute("aria-invalid");
  }

  focus() { this.#control.inputs[0].focus(); }

  clear() {
    for (const input of this.#control.inputs) {
      input.value = this.#required?.join("\n") ?? "";
      input.dispatchEvent(new Event("change"));
    }
  }
}

/** The settings of a tunnel, with controls where the token may change them. */
export class Settings {
  #fields; #ranges; #policies; #needsRanges;

  constructor(schemas, tunnel, mayChange) {
    const { api } = tunnel;
    const groups = groupsFor(schemas, api).map((group) => ({ ...group, fields: group.fields.map((one) => new Field(one, api, mayChange)) }));
    this.#fields = groups.flatMap((group) => group.fields);
    [this.#ranges, this.#policies] = ["/peer_cidrs", "/security_policies"].map((pointer) => this.#fields.find((one) => one.pointer === pointer));
    this.element = h("div", { class: "settings" }, groups.map(({ name, about, fields }) =>
      h(mayChange ? "fieldset" : "section", { "aria-label": mayChange ? null : name ?? "Tunnel" },
        h(mayChange ? "legend" : "h3", {}, name === null ? "Tunnel" : h("code", {}, name)),
        mayChange && about && h("p", { class: "about" }, prose(about)), fields.map((one) => one.element))));
    // API 2.0 requires the ranges or the policies in every change.
    this.#needsRanges = mayChange && api === "2.0";
    this.show(tunnel);
  }

  /** True if a change has ranges that were not typed: they must be the tunnel's present ones. */
  get isFilled() { return this.#needsRanges && this.#ranges.isUntouched; }

  show(tunnel) {
    for (const one of this.#fields) one.show(tunnel);
    if (this.#needsRanges) this.#ranges.require(tunnel.peer_cidrs ?? []);
  }

  /** The patch, or null if nothing is to change. */
  get patch() {
    const touched = this.#fields.filter((one) => !one.isUntouched);
    if (touched.length === 0) return null;
    // Ranges that were not touched make room for policies: a change has one of the two.
    const sent = this.#fields.filter((one) => one.asked !== undefined
      && !(one === this.#ranges && one.isUntouched && this.#policies.asked !== undefined));
    const patch = {};
    for (const one of sent) {
      const names = one.pointer.slice(1).split("/");
      const last = names.pop();
      names.reduce((at, name) => (at[name] ??= {}), patch)[last] = one.asked;
    }
    return patch;
  }

  /** Marks what is wrong before anything is asked. Returns false if something is. */
  check() {
    this.settle();
    const wrong = this.#fields.filter((one) => one.wrong !== null);
    for (const one of wrong) one.complain(one.wrong);
    wrong[0]?.focus();
    return wrong.length === 0;
  }

  /** Shows the gateway's faults at their fields. Returns those that belong to no field, with their names. */
  complain(faults) {
    const others = [];
    let first = null;
    for (const fault of faults) {
      const found = this.#fields.find(({ pointer }) => fault.pointer === pointer || fault.pointer.startsWith(`${pointer}/`));
      const inner = found && fault.pointer.slice(found.pointer.length + 1).replaceAll("/", ".");
      // The members of a list are lines here, counted from 1.
      const place = inner && inner.replace(/^(\d+).*/, (_, index) => `line ${Number(index) + 1}`);
      if (found) found.complain(place ? `${place}: ${fault.detail}` : fault.detail);
      else others.push({ ...fault, pointer: dotted(fault.pointer) });
      first ??= found ?? null;
    }
    first?.focus();
    return others;
  }

  settle() { for (const one of this.#fields) one.settle(); }

  /** Forgets what was typed, the pre-shared key too. */
  clear() { for (const one of this.#fields) one.clear(); }
}
