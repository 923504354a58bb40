// The certified issuer oidc-provider with its own pages, for people who sign in with a browser:
// node people.mjs '{"redirects": […], "seconds": 300, "renews": false}'. Prints its address.
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const { redirects, seconds, renews } = JSON.parse(process.argv[2]);
const GROUPS = { zoe: ['team-a'], ali: ['team-b'] };

const server = createServer((request, response) => handle(request, response));
let handle;
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;
const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
const provider = new Provider(issuer, {
    jwks: { keys: [{ ...jwk, alg: 'ES256', use: 'sig', kid: 'people' }] },
    cookies: { keys: ['a cookie key of the test'] },
    clients: [{
        client_id: 'console',
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        redirect_uris: redirects,
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        id_token_signed_response_alg: 'ES256',
    }],
    // The gateway's pages call the token endpoint from their own origin.
    clientBasedCORS: () => true,
    claims: { openid: ['sub', 'groups', 'preferred_username'] },
    conformIdTokenClaims: false,
    findAccount: (_context, id) => ({
        accountId: id,
        claims: () => ({ sub: id, groups: GROUPS[id] ?? [], preferred_username: id }),
    }),
    issueRefreshToken: () => renews,
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    ttl: { IdToken: seconds, AccessToken: seconds, Session: 3600, Grant: 3600, Interaction: 3600, RefreshToken: 3600 },
});
handle = provider.callback();
console.log(`listening on ${issuer}`);
