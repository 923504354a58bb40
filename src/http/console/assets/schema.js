// The fields of a change and their limits, from the OpenAPI document of this gateway.

import { get } from "./api.js";

let reading = null;

/** The schemas of the document by their names. It is read once. */
async function schemas() {
  reading ??= get("openapi.json").catch((error) => {
    reading = null;
    throw error;
  });
  return (await reading).components.schemas;
}

/** The schemas of a patch's members by their names. */
export async function members() { return (await schemas()).TunnelPatch.properties; }

/** The formats of a peer's configuration. */
export async function peerFormats() { return (await schemas()).PeerFormat.enum; }

/** True if only API 3.0 has the field. */
function needsApi3(schema) { return schema["x-api-3-only"] === true; }

/** A group is completed with the tunnel's values, so each of its members is a field of its own. */
function isGroup(schema) { return schema.type === "object" && schema.properties !== undefined; }

/** The groups of fields that a tunnel of this API has: [{ name, about, fields: [{ pointer, name, schema }] }]. The group without a
 *  name has the fields outside of groups. */
export function groupsFor(all, api) {
  const has = ([, schema]) => api !== "2.0" || !needsApi3(schema);
  const field = (prefix) => ([name, schema]) => ({ pointer: `${prefix}/${name}`, name, schema });
  const entries = Object.entries(all).filter(has);
  const groups = entries.filter(([, schema]) => isGroup(schema)).map(([name, schema]) =>
    ({ name, about: schema.description, fields: Object.entries(schema.properties).filter(has).map(field(`/${name}`)) }));
  return [{ name: null, about: null, fields: entries.filter(([, schema]) => !isGroup(schema)).map(field("")) }, ...groups];
}

/** The words of an enumeration, each once, and those that the tunnel's API has. */
export function wordsFor(schema, api) {
  const [also, newer] = [schema["x-synonyms"] ?? [], api === "2.0" ? schema["x-api-3-only"] ?? [] : []];
  return schema.enum.filter((word) => !also.includes(word) && !newer.includes(word));
}

/** The limits of a field in words. */
export function limits(schema) {
  if (schema.minimum !== undefined) return `${schema.minimum} to ${schema.maximum}`;
  if (schema.maxLength !== undefined) return `${schema.minLength ?? 0} to ${schema.maxLength} characters`;
  return null;
}
