// Tokens of two real issuers at the real binary: node check.mjs TUNNELGATE BAO
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import * as certified from './oidc_provider.mjs';
import * as gateways from './gateway.mjs';
import * as openbao from './openbao.mjs';

const [tunnelgate, bao] = process.argv.slice(2);

async function freePort() {
    const server = createServer();
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address();
    await new Promise((resolve) => server.close(resolve));
    return port;
}

const say = (text) => console.log(`  ${text}`);
const LIST = '/operations';
// Beyond the 30 seconds between two fetches.
const PATIENCE = 60_000;

// Calls until the answer has this status.
async function until(status, gateway, token) {
    const began = Date.now();
    for (;;) {
        const answer = await gateway.call(LIST, await token());
        if (answer.status === status) return answer;
        assert.ok(Date.now() - began < PATIENCE, `${answer.status} ${answer.body}`);
        await new Promise((resolve) => setTimeout(resolve, 500));
    }
}

async function refuses(gateway, token, reason) {
    const answer = await gateway.call(LIST, token);
    assert.equal(answer.status, 401, answer.body);
    assert.match(answer.headers.get('www-authenticate'), reason);
}

function withHeader(token, header) {
    return token.replace(/^[^.]*/, Buffer.from(JSON.stringify(header)).toString('base64url'));
}

const ports = [await freePort(), await freePort()];
let provider = await certified.start(ports[0], 1);
const vault = await openbao.start(bao, ports[1]);
const write = { claim: 'groups', value: 'net-admins', scopes: ['tunnels:read', 'audit:read'] };
const gateway = await gateways.start(tunnelgate, [
    {
        issuer: provider.issuer, audience: certified.AUDIENCE, client: certified.CLIENT, name: 'preferred_username',
        grants: [write, { claim: 'groups', value: 'ci', scopes: ['tunnels:read'] }],
    },
    {
        issuer: vault.issuer, audience: openbao.AUDIENCE, name: 'username',
        grants: [{ ...write, claim: 'access.groups' }],
    },
]);
try {
    say('access tokens of oidc-provider, with every algorithm');
    for (const algorithm of certified.ALGORITHMS) {
        const token = await certified.accessToken(provider.issuer, algorithm);
        const answer = await gateway.call(LIST, token);
        assert.equal(answer.status, 200, `${algorithm}: ${answer.body}`);
        const forbidden = await gateway.call('/audit-events', token);
        assert.equal(forbidden.status, 403, forbidden.body);
        assert.match(forbidden.json().detail, /the claim groups of your token gives scopes/);
    }
    say('the ID token of a sign-in by authorization code with PKCE');
    const { issuers } = (await gateway.call('/sign-in')).json();
    assert.deepEqual(issuers.map((found) => [found.issuer, found.client_id, found.token_endpoint]), [
        [provider.issuer, certified.CLIENT, `${provider.issuer}/token`],
    ]);
    const person = await certified.signIn(provider.issuer);
    assert.equal((await gateway.call(LIST, person.id_token)).status, 200);
    await refuses(gateway, person.access_token, /invalid_token/);
    say('identity tokens of OpenBao, with every algorithm');
    for (const algorithm of openbao.ALGORITHMS) {
        const answer = await gateway.call(LIST, await vault.token(algorithm));
        assert.equal(answer.status, 200, `${algorithm}: ${answer.body}`);
    }
    say('the caller in the audit log');
    for (const [token, name, issuer] of [
        [person.id_token, 'Zoë', provider.issuer], [await vault.token('ES256'), 'zoe', vault.issuer],
    ]) {
        const tunnel = '/vpcs/vpc-1/gateways/vpngw-1/tunnels/vpnx-1';
        const headers = { 'content-type': 'application/json' };
        const refused = await gateway.call(tunnel, token, { method: 'PATCH', headers, body: '{"name":"x"}' });
        assert.equal(refused.status, 403, refused.body);
        const [event] = (await gateway.call('/audit-events?limit=1', token)).json().items;
        const { sub } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
        assert.deepEqual([event.event, event.actor_kind, event.actor, event.actor_id], ['denied', 'oidc', name, `${issuer} ${sub}`]);
    }
    say('altered and strange tokens');
    const token = await certified.accessToken(provider.issuer, 'RS256');
    const [head, claims, signature] = token.split('.');
    const other = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(claims, 'base64url')), sub: 'root' })).toString('base64url');
    await refuses(gateway, `${head}.${other}.${signature}`, /signature/);
    await refuses(gateway, withHeader(`.${claims}.`, { alg: 'none' }), /alg is not/);
    await refuses(gateway, withHeader(await vault.token('RS256'), { alg: 'RS256', kid: 'RS256-1' }), /kid/);
    say('keys that rotate in the middle: the old ones are withdrawn, the new ones taken over');
    const before = [person.id_token, await vault.token('EdDSA')];
    await provider.stop();
    provider = await certified.start(ports[0], 2);
    await vault.rotate('EdDSA');
    await until(200, gateway, () => certified.accessToken(provider.issuer, 'ES256'));
    await until(200, gateway, () => vault.token('EdDSA'));
    for (const old of before) {
        await until(401, gateway, async () => {
            // OpenBao publishes the next key ahead of time, so no new token makes the gateway fetch its keys: this one does.
            await gateway.call(LIST, withHeader(await vault.token('EdDSA'), { alg: 'EdDSA', kid: 'unknown' }));
            return old;
        });
    }
    say('an issuer that is down refuses nothing while its keys are young');
    const last = await certified.accessToken(provider.issuer, 'EdDSA');
    await provider.stop();
    provider = null;
    assert.equal((await gateway.call(LIST, last)).status, 200);
    assert.ok(!gateway.log().includes(last.split('.')[1]), 'a token is in the log');
} catch (error) {
    console.error(gateway.log());
    throw error;
} finally {
    await gateway.stop();
    await vault.stop();
    await provider?.stop();
}
