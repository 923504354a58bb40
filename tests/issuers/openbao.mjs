// OpenBao's server as an issuer: its identity tokens, with groups in a claim.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

export const ALGORITHMS = ['RS256', 'ES256', 'ES384', 'EdDSA'];
export const AUDIENCE = 'tunnelgate';
const ROOT = 'root';

export async function start(program, port) {
    const base = `http://127.0.0.1:${port}`;
    const server = spawn(program, [
        'server', '-dev', '-dev-no-store-token', `-dev-root-token-id=${ROOT}`, `-dev-listen-address=127.0.0.1:${port}`,
    ], { stdio: 'ignore' });
    const call = async (method, path, body, token = ROOT) => {
        const answer = await fetch(`${base}/v1/${path}`, {
            method, headers: { 'x-vault-token': token }, body: body && JSON.stringify(body),
        });
        const text = await answer.text();
        if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
        return text && JSON.parse(text);
    };
    for (let left = 300; ; left--) {
        const health = await fetch(`${base}/v1/sys/health`).catch(() => null);
        if (health?.ok) break;
        if (left === 0 || server.exitCode !== null) throw new Error('OpenBao does not start');
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await call('POST', 'sys/auth/userpass', { type: 'userpass' });
    await call('PUT', 'sys/policies/acl/token', { policy: 'path "identity/oidc/token/*" { capabilities = ["read"] }' });
    await call('POST', 'auth/userpass/users/zoe', { password: 'a password of the test', policies: 'token' });
    const { auth } = await call('POST', 'auth/userpass/login/zoe', { password: 'a password of the test' });
    await call('POST', 'identity/group', { name: 'net-admins', member_entity_ids: [auth.entity_id] });
    await call('POST', 'identity/oidc/config', { issuer: base });
    for (const algorithm of ALGORITHMS) {
        await call('POST', `identity/oidc/key/${algorithm}`, { algorithm, allowed_client_ids: ['*'], verification_ttl: '1h' });
        await call('POST', `identity/oidc/role/${algorithm}`, {
            key: algorithm, client_id: AUDIENCE, ttl: '10m',
            template: '{"access": {"groups": {{identity.entity.groups.names}}}, "username": {{identity.entity.aliases.'
                + `${(await call('GET', 'sys/auth'))['userpass/'].accessor}.name}}}`,
        });
    }
    return {
        issuer: `${base}/v1/identity/oidc`,
        token: async (algorithm) =>
            (await call('GET', `identity/oidc/token/${algorithm}`, undefined, auth.client_token)).data.token,
        // A new key signs at once, and the old one is withdrawn at once.
        rotate: (algorithm) => call('POST', `identity/oidc/key/${algorithm}/rotate`, { verification_ttl: '0s' }),
        stop: async () => {
            server.kill();
            await once(server, 'exit');
        },
    };
}
