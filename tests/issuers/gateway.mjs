// tunnelgate with a configuration file that names both issuers.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export async function start(program, issuers) {
    const folder = mkdtempSync(join(tmpdir(), 'tunnelgate-issuers-'));
    const text = JSON.stringify;
    const sections = issuers.map(({ issuer, audience, client, name, grants }) => [
        '[[oidc]]', `issuer = ${text(issuer)}`, `audience = ${text(audience)}`, `name_claim = ${text(name)}`,
        client ? `client_id = ${text(client)}` : '',
        ...grants.map(({ claim, value, scopes }) =>
            `[[oidc.grants]]\nclaim = ${text(claim)}\nvalue = ${text(value)}\nscopes = ${text(scopes)}`),
    ].join('\n'));
    writeFileSync(join(folder, 'tunnelgate.toml'), sections.join('\n\n'));
    const output = openSync(join(folder, 'output'), 'w');
    const process_ = spawn(program, ['serve', '--listen', '127.0.0.1:0', '--config', 'tunnelgate.toml'], {
        cwd: folder,
        stdio: ['ignore', output, output],
        env: {
            PATH: process.env.PATH, TENCENTCLOUD_SECRET_ID: 'AKIDEXAMPLE', TENCENTCLOUD_SECRET_KEY: 'simulated-secret-key',
            TENCENTCLOUD_REGION: 'ap-guangzhou', TUNNELGATE_UPSTREAM_URL: 'http://127.0.0.1:9/',
        },
    });
    const log = () => readFileSync(join(folder, 'output'), 'utf8');
    let base;
    for (let left = 600; !base; left--) {
        base = log().match(/listening on (http:\/\/[0-9.:]+)/)?.[1];
        if (left === 0 || process_.exitCode !== null) throw new Error(`tunnelgate does not start:\n${log()}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return {
        log,
        call: async (path, token, options = {}) => {
            const headers = { ...options.headers, ...(token ? { authorization: `Bearer ${token}` } : {}) };
            const answer = await fetch(base + path, { ...options, headers });
            const body = await answer.text();
            return { status: answer.status, headers: answer.headers, body, json: () => JSON.parse(body) };
        },
        stop: async () => {
            process_.kill('SIGINT');
            await once(process_, 'exit');
            rmSync(folder, { recursive: true });
        },
    };
}
