/** A real gateway with the policies of test/policies/authzen, on TLS, and an enforcement point that asks it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeAuthority } from './certificates.ts';
import { type Gateway, startGateway, type TokenOptions } from './gateway.ts';
import { startPostgres } from './postgres.ts';

const POLICIES = join(import.meta.dirname, '..', 'policies', 'authzen');

export interface Replied {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly body: unknown;
}

export interface Asking {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON, a text as it is. */
  readonly body?: unknown;
  /** null: without a token. Default: the enforcement point's. */
  readonly token?: string | null;
}

export interface DecisionPoint extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly url: string;
  /** Made once for each holder. */
  token(who: TokenOptions): Promise<string>;
  ask(path: string, asking?: Asking): Promise<Replied>;
}

export const POINT: TokenOptions = { login: 'records-api', type: 'service', groups: ['enforcement'] };

/** The gateway has a target because a configuration needs one; nobody connects to it. */
export async function startDecisionPoint(more: { readonly api?: object; readonly dir?: string } = {}): Promise<DecisionPoint> {
  const dir = more.dir ?? mkdtempSync(join(tmpdir(), 'interlock-authzen-'));
  const authority = await makeAuthority(join(dir, 'tls'));
  const { certFile, keyFile } = await authority.issue('pdp');
  const ca = readFileSync(authority.caFile, 'utf8');
  const server = await startPostgres({ major: 15 });
  const { host, port, user, password } = server;
  const gateway = await startGateway({
    dir,
    upstream: { host, port, user, password, database: 'postgres' },
    policies: { dir: POLICIES, data: [join(POLICIES, 'data.yaml')] },
    config: { api: { listen: '127.0.0.1:0', tls: { cert: certFile, key: keyFile, ca: authority.caFile }, readers: [], ...more.api } },
  });
  const tokens = new Map<string, Promise<string>>();
  const token = (who: TokenOptions): Promise<string> => {
    const key = JSON.stringify(who);
    const known = tokens.get(key) ?? gateway.token(who);
    tokens.set(key, known);
    return known;
  };
  const url = gateway.ready.api;
  const ask = async (path: string, { method, headers = {}, body, token: given }: Asking = {}): Promise<Replied> => {
    const bearer = given === null ? {} : { authorization: `Bearer ${given ?? (await token(POINT))}` };
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const type = text === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) };
    return await send(new URL(path, url), method ?? (text === undefined ? 'GET' : 'POST'), { ...type, ...bearer, ...headers }, text, ca);
  };
  return {
    gateway,
    url,
    token,
    ask,
    [Symbol.asyncDispose]: async () => {
      await gateway.stop();
      await server[Symbol.asyncDispose]();
      if (more.dir === undefined) rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function send(url: URL, method: string, headers: Record<string, string>, body: string | undefined, ca: string): Promise<Replied> {
  return await new Promise((resolve, reject) => {
    const request = httpsRequest(url, { method, headers, ca, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const json = /^application\/(problem\+)?json/.test(response.headers['content-type'] ?? '');
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, body: json ? JSON.parse(text) : null });
      });
    });
    request.once('error', reject);
    request.end(body);
  });
}
