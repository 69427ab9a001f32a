/** What cases are sent to: the gateway with the profile, or, to see that the runner can fail, the bare upstream. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { makeAuthority } from '#test/support/certificates';
import { mint } from '#test/support/minted';
import { type Shape, shapeAsked, startShape } from '#test/support/shapes';
import type { Upstream } from './upstream.ts';

export const HTTP_PROFILE: string = fileURLToPath(new URL('./interlock.yaml', import.meta.url));
/** Of the upstream: what the gateway adds, and nobody else may see. */
export const CREDENTIAL = 'credential-of-the-upstream-3f9a';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface HttpSubject extends AsyncDisposable {
  readonly revision: string | null;
  readonly plain: Address;
  /** Of a target that nothing is known of. */
  readonly unknown: Address;
  /** TLS, with HTTP/2; null: there is none. */
  readonly secure: (Address & { readonly ca: string }) | null;
  /** null: none is needed. */
  readonly token: string | null;
  log(): string;
}

export function directly({ directUrl }: Upstream): HttpSubject {
  return without(directUrl);
}

/** The same with its bytes remembered. */
export function bare({ url }: Upstream): HttpSubject {
  return without(url);
}

function without(url: string): HttpSubject {
  const address = addressOf(new URL(url).host);
  return { ...NOTHING, plain: address, unknown: address };
}

const NOTHING = { revision: null, secure: null, token: null, log: () => '', [Symbol.asyncDispose]: () => Promise.resolve() } as const;

export async function gateway(configFile: string, upstream: Upstream, shape: Shape = shapeAsked()): Promise<HttpSubject> {
  const dir = mkdtempSync(join(tmpdir(), 'interlock-corpus-http-'));
  const authority = await makeAuthority(join(dir, 'tls'));
  const { certFile: cert, keyFile: key } = await authority.issue('gateway');
  const env = { ...process.env, CORPUS_CREDENTIAL: CREDENTIAL };
  const { ready, front, engine, configFile: moved, end } = await startShape(shape, profile(configFile, dir, upstream, { cert, key }), dir, env);
  const token = await mint(moved, { login: 'corpus', groups: ['app'], ttl: '6h' });
  return {
    revision: ready.revision,
    plain: addressOf(ready.targets['api']?.address ?? ''),
    unknown: addressOf(ready.targets['cluster']?.address ?? ''),
    secure: { ...addressOf(ready.targets['api-tls']?.address ?? ''), ca: readFileSync(authority.caFile, 'utf8') },
    token,
    log: () => `${front.log()}${engine?.running.log() ?? ''}`,
    async [Symbol.asyncDispose]() {
      await end('SIGTERM');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function addressOf(text: string): Address {
  const at = text.lastIndexOf(':');
  return { host: text.slice(0, at), port: Number(text.slice(at + 1)) };
}

interface Target {
  readonly http: Readonly<Record<string, unknown>>;
}

interface Profile {
  readonly policies: { readonly source: { readonly dir: string }; readonly data: readonly string[] };
  readonly journal?: object;
  readonly targets: Readonly<Record<string, Target>>;
}

/** With absolute paths, its state in `dir`, the recording upstream, and each target once more with TLS. */
function profile(configFile: string, dir: string, { url }: Upstream, tls: { cert: string; key: string }): object {
  const written = parse(readFileSync(configFile, 'utf8')) as Profile;
  const from = (path: unknown): string => resolve(dirname(configFile), String(path));
  const targets = Object.entries(written.targets).flatMap(([name, target]) => {
    const { openapi, graphql } = target.http;
    const http = {
      ...target.http,
      url,
      ...(openapi !== undefined && { openapi: from(openapi) }),
      ...(graphql !== undefined && { graphql: from(graphql) }),
    };
    return [
      [name, { ...target, http }],
      [`${name}-tls`, { ...target, http, tls }],
    ] as const;
  });
  return {
    ...written,
    state: { dir: join(dir, 'state') },
    journal: { ...written.journal, dir: join(dir, 'journal') },
    policies: { ...written.policies, source: { dir: from(written.policies.source.dir) }, data: written.policies.data.map(from) },
    targets: Object.fromEntries(targets),
  };
}
