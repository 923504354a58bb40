// Addresses of the API and of the console's views.

const joined = (parts) => parts.map(encodeURIComponent).join("/");

/** The path of a tunnel in the API. */
export function pathOf({ vpc_id: vpc, gateway_id: gateway, tunnel_id: tunnel }) {
  const [v, g, t] = [vpc, gateway, tunnel].map(encodeURIComponent);
  return `vpcs/${v}/gateways/${g}/tunnels/${t}`;
}

/** The path of an operation's rollback in the API. */
export function rollbackOf(operation) { return `operations/${encodeURIComponent(operation)}/rollback`; }

/** The view of a tunnel. */
export function hashOf({ vpc_id: vpc, gateway_id: gateway, tunnel_id: tunnel }) { return `#/tunnels/${joined([vpc, gateway, tunnel])}`; }

/** The view of a tunnel's operations. */
export function operationsOf({ vpc_id, tunnel_id }) { return `#/operations?${new URLSearchParams({ tunnel_id, vpc_id })}`; }
