// The certified issuer oidc-provider: programs get access tokens (JWT, RFC 9068) with their credentials, people an ID token
// with an authorization code and PKCE.
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import Provider from 'oidc-provider';

export const AUDIENCE = 'urn:tunnelgate';
export const CLIENT = 'tunnelgate-console';
const REDIRECT = 'http://127.0.0.1/callback';
const KINDS = {
    RS256: ['rsa', { modulusLength: 2048 }],
    PS256: ['rsa', { modulusLength: 2048 }],
    ES256: ['ec', { namedCurve: 'P-256' }],
    ES384: ['ec', { namedCurve: 'P-384' }],
    EdDSA: ['ed25519', {}],
};
export const ALGORITHMS = Object.keys(KINDS);

function key(alg, generation) {
    const [kind, options] = KINDS[alg];
    const jwk = generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' });
    return { ...jwk, alg, use: 'sig', kid: `${alg}-${generation}` };
}

function program(alg) {
    return {
        client_id: `ci-${alg}`,
        client_secret: 'a secret of the test',
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
    };
}

function configuration(generation) {
    return {
        jwks: { keys: ALGORITHMS.map((alg) => key(alg, generation)) },
        cookies: { keys: ['a cookie key of the test'] },
        clients: [
            ...ALGORITHMS.map(program),
            {
                client_id: CLIENT,
                token_endpoint_auth_method: 'none',
                application_type: 'native',
                redirect_uris: [REDIRECT],
                grant_types: ['authorization_code'],
                response_types: ['code'],
                id_token_signed_response_alg: 'ES256',
            },
        ],
        claims: { openid: ['sub', 'groups', 'preferred_username'] },
        conformIdTokenClaims: false,
        findAccount: (_context, id) => ({
            accountId: id,
            claims: () => ({ sub: id, groups: ['net-admins'], preferred_username: 'Zoë' }),
        }),
        extraTokenClaims: () => ({ groups: ['ci'], preferred_username: 'pipeline' }),
        enabledJWA: { idTokenSigningAlgValues: ALGORITHMS },
        features: {
            devInteractions: { enabled: false },
            clientCredentials: { enabled: true },
            resourceIndicators: {
                enabled: true,
                defaultResource: () => AUDIENCE,
                getResourceServerInfo: (_context, _resource, client) => ({
                    scope: '',
                    audience: AUDIENCE,
                    accessTokenTTL: 300,
                    accessTokenFormat: 'jwt',
                    jwt: { sign: { alg: client.clientId.replace('ci-', '').replace(CLIENT, 'ES256') } },
                }),
            },
        },
        interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    };
}

// An issuer at a port; with another generation it has other keys.
export async function start(port, generation) {
    const issuer = `http://127.0.0.1:${port}`;
    const provider = new Provider(issuer, configuration(generation));
    // Every person signs in and agrees at once.
    provider.use(async (context, next) => {
        if (!context.path.startsWith('/interaction/')) return next();
        const { prompt, params } = await provider.interactionDetails(context.req, context.res);
        if (prompt.name === 'login') {
            return provider.interactionFinished(context.req, context.res, { login: { accountId: 'u-4711' } });
        }
        const grant = new provider.Grant({ accountId: 'u-4711', clientId: params.client_id });
        grant.addOIDCScope('openid');
        const consent = { grantId: await grant.save() };
        return provider.interactionFinished(context.req, context.res, { consent }, { mergeWithLastSubmission: true });
    });
    const server = provider.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const stop = async () => {
        server.closeAllConnections();
        server.close();
        await once(server, 'close');
    };
    return { issuer: `http://127.0.0.1:${server.address().port}`, stop };
}

// An access token of a program.
export async function accessToken(issuer, alg) {
    const { client_id, client_secret } = program(alg);
    const answer = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`${client_id}:${encodeURIComponent(client_secret)}`).toString('base64')}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', resource: AUDIENCE }),
    });
    const body = await answer.json();
    if (!answer.ok) throw new Error(JSON.stringify(body));
    return body.access_token;
}

// The tokens of a person's sign-in, by authorization code with PKCE, as a browser does it.
export async function signIn(issuer) {
    const verifier = randomBytes(32).toString('base64url');
    const query = new URLSearchParams({
        client_id: CLIENT, response_type: 'code', scope: 'openid', redirect_uri: REDIRECT, nonce: 'n', state: 's',
        code_challenge_method: 'S256', code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    });
    const cookies = new Map();
    let next = `${issuer}/auth?${query}`;
    while (!next.startsWith(REDIRECT)) {
        const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
        const answer = await fetch(next, { redirect: 'manual', headers: { cookie } });
        for (const set of answer.headers.getSetCookie()) {
            const [, name, value] = set.match(/^([^=]+)=([^;]*)/);
            cookies.set(name, value);
        }
        const location = answer.headers.get('location');
        if (!location) throw new Error(`${next}: ${answer.status} ${await answer.text()}`);
        next = new URL(location, issuer).href;
    }
    const code = new URL(next).searchParams.get('code');
    const answer = await fetch(`${issuer}/token`, {
        method: 'POST',
        body: new URLSearchParams({
            grant_type: 'authorization_code', client_id: CLIENT, redirect_uri: REDIRECT, code, code_verifier: verifier,
        }),
    });
    const body = await answer.json();
    if (!answer.ok) throw new Error(JSON.stringify(body));
    return body;
}
