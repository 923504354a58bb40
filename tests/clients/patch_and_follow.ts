// The client that openapi-typescript and openapi-fetch make: change a tunnel, follow the operation, read a problem.
// Takes the service's address and a token.

import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { argv: string[] };

function must(isSo: boolean, what: unknown): asserts isSo {
  if (!isSo) throw new Error(JSON.stringify(what));
}

const [base, token] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: base, headers: { Authorization: `Bearer ${token}` } });
const tunnel = "/vpcs/{vpc_id}/gateways/{gateway_id}/tunnels/{tunnel_id}";
const path = { vpc_id: "vpc-03vihbk9", gateway_id: "vpngw-kfldykuz", tunnel_id: "vpnx-branch02" };
const headers = { "Content-Type": "application/merge-patch+json" };

const patch: components["schemas"]["TunnelPatch"] = {
  peer_cidrs: ["10.100.3.0/24"],
  pre_shared_key: "generated-typescript",
};
const changed = await client.PATCH(tunnel, { params: { path }, body: patch, headers });
must(changed.response.status === 202 && changed.data !== undefined, changed.error);
// The types know that a dry run answers otherwise.
must("id" in changed.data, changed.data);
const operation = changed.data;
must(["running", "succeeded"].includes(operation.status), operation);
must(operation.tunnel.tunnel_id === path.tunnel_id, operation);
must(!JSON.stringify(changed.data).includes("generated-typescript"), changed.data);

const followed = await client.GET("/operations/{id}", {
  params: { path: { id: operation.id }, header: { Prefer: "wait=55" } },
});
must(followed.data?.status === "succeeded", followed);
must(followed.data.verification?.result === "confirmed", followed.data);

const listed = await client.GET("/operations", { params: { query: { status: "succeeded", limit: 1 } } });
must(listed.data?.items[0]?.id === operation.id, listed);

const back = await client.POST("/operations/{id}/rollback", {
  params: { path: { id: operation.id }, header: { Prefer: "wait=55" } },
  body: { pre_shared_key: "set-when-it-was-made" },
});
must(back.data !== undefined && "rollback_of" in back.data && back.data.rollback_of === operation.id, back);
must(back.data.status === "succeeded", back.data);

// The types know that a refusal is a problem.
const refused = await client.PATCH(tunnel, { params: { path }, body: { name: "neither ranges nor policies" }, headers });
const problem: components["schemas"]["Problem"] | undefined = refused.error;
must(problem?.code === "invalid_patch" && (problem.errors?.length ?? 0) > 0, refused);
