/**
 * The console before answers that were written down, for the states that take long to make for real. `node test/console/fixture-server.ts`
 * serves the usual one on a port of its own, to develop against. Not the engine: who may see what is tested there, and in the console's tests
 * before the real one.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFileSync } from 'node:fs';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AgentClaims, AgentView } from '#schemas/agent';
import type { EnforcerPage } from '#schemas/enforcer-report';
import type { NotificationView } from '#schemas/notification';
import type { DelegationPage, InboxPage, LiveEvent, Me, RequestPage, SessionDetail, SessionPage, StatementPage } from '#schemas/review';
import { ensureConsole } from '#tools/console';
import { agent, claims, delegation, enforcers, id, inboxItem, me, message, requestPage, REVISION, session, statement } from './fixtures.ts';

/** What each route answers; a function is asked anew each time. */
export interface Scene {
  readonly me?: Me | null;
  readonly inbox?: (query: URLSearchParams) => InboxPage;
  readonly request?: (id: string) => RequestPage | null;
  readonly sessions?: (query: URLSearchParams) => SessionPage;
  readonly session?: () => SessionDetail | null;
  readonly search?: (query: URLSearchParams) => StatementPage;
  readonly delegations?: () => DelegationPage;
  readonly messages?: readonly NotificationView[];
  readonly enforcers?: EnforcerPage;
  readonly agents?: readonly AgentView[];
  readonly claims?: AgentClaims;
  /** What was sent to it: `POST /v1/approvals/…/verdict` and its body. The answer is the status, with an error's document if it is none. */
  readonly act?: (what: string, body: unknown) => { readonly status: number; readonly document: unknown };
}

export interface FixtureServer extends AsyncDisposable {
  readonly url: string;
  /** Other answers from now on. */
  show(scene: Scene): void;
  tell(event: LiveEvent): void;
  /** Cuts every live stream, as a restart of the engine does. */
  cut(): void;
}

/** As the engine sends it. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'";
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

export async function startFixtureServer(first: Scene = {}): Promise<FixtureServer> {
  const dist = await ensureConsole();
  let scene = first;
  const streams = new Set<ServerResponse>();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    if (url.pathname === '/v1/live') listen(response, streams);
    else if (url.pathname.startsWith('/v1/') || url.pathname.startsWith('/login/')) void answer(scene, request, url, response);
    else file(dist, url.pathname, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const end = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    show: (next) => void (scene = next),
    tell: (event) => {
      for (const stream of streams) stream.write(`event: change\ndata: ${JSON.stringify(event)}\n\n`);
    },
    cut: () => {
      for (const stream of streams) stream.destroy();
      streams.clear();
    },
    [Symbol.asyncDispose]: end,
  };
}

export const many = (from: number, to: number): readonly number[] => Array.from({ length: to - from }, (_, index) => from + index);

/** Pages of `size` of so many things, with a number as the cursor. */
export function pageOf<T>(
  query: URLSearchParams,
  total: number,
  make: (number: number) => T,
  size = 50,
): { items: T[]; next: string | null; total: number } {
  const from = Number(query.get('cursor') ?? 0);
  const to = Math.min(from + size, total);
  return { items: many(from, to).map(make), next: to < total ? String(to) : null, total: Math.min(total, 10_000) };
}

function listen(response: ServerResponse, streams: Set<ServerResponse>): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.write(': here\n\n');
  streams.add(response);
  response.once('close', () => streams.delete(response));
}

async function answer(scene: Scene, request: IncomingMessage, url: URL, response: ServerResponse): Promise<void> {
  const body = await bodyOf(request);
  const [status, document] = request.method === 'GET' ? read(scene, url) : write(scene, `${request.method} ${url.pathname}`, body);
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(document));
}

function read(scene: Scene, { pathname, searchParams: query }: URL): readonly [number, unknown] {
  if (scene.me === null && pathname === '/v1/me') return [401, { error: { code: 'AUTH_FAILED', message: 'log in first' } }];
  const [, , area = '', which = ''] = pathname.split('/');
  switch (pathname === '/login/options' ? 'options' : area) {
    case 'options':
      return [200, { oidc: [{ name: 'corp', start: '/login/start/corp' }], local: true }];
    case 'me':
      return [200, scene.me ?? me];
    case 'inbox':
      return [200, scene.inbox?.(query) ?? pageOf(query, 7, (number) => inboxItem(number + 1))];
    case 'approvals':
      return found(scene.request === undefined ? requestPage() : scene.request(which));
    case 'sessions':
      return which === 'page'
        ? [200, scene.sessions?.(query) ?? pageOf(query, 9, (number) => session(number + 1))]
        : found(scene.session === undefined ? usualSession(query) : scene.session());
    case 'search':
      return [200, scene.search?.(query) ?? pageOf(query, 12, (number) => statement(12 - number))];
    case 'enforcers':
      return [200, scene.enforcers ?? { items: [...enforcers], revision: REVISION }];
    case 'agents':
      if (which === '') return [200, { items: scene.agents ?? [agent(1), agent(2, { state: 'silent', sessions: 0 })] }];
      return pathname.endsWith('/claims') ? [200, scene.claims ?? claims()] : found(scene.agents?.[0] ?? agent(1));
    case 'notifications':
      return [200, { items: scene.messages ?? [message(1)] }];
    case 'delegations':
      return [200, scene.delegations?.() ?? { items: [delegation(1)], next: null, total: 1 }];
    default:
      return found(null);
  }
}

function usualSession(query: URLSearchParams): SessionDetail {
  return { session: session(1), statements: pageOf(query, 12, (number) => statement(number)) };
}

function found(document: unknown): readonly [number, unknown] {
  return document === null ? [404, { error: { code: 'APPROVAL_NOT_FOUND', message: 'there is no such thing' } }] : [200, document];
}

function write(scene: Scene, what: string, body: unknown): readonly [number, unknown] {
  const given = scene.act?.(what, body) ?? { status: 200, document: {} };
  return [given.status, given.document];
}

function file(dist: string, path: string, response: ServerResponse): void {
  const name = extname(path) === '' ? 'index.html' : normalize(path);
  try {
    const bytes = readFileSync(join(dist, name));
    response.writeHead(200, {
      'content-type': TYPES[extname(name)] ?? 'application/octet-stream',
      'content-security-policy': POLICY,
      'x-content-type-options': 'nosniff',
    });
    response.end(bytes);
  } catch {
    response.writeHead(404).end();
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return chunks.length === 0 ? null : JSON.parse(Buffer.concat(chunks).toString());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await startFixtureServer();
  console.log(`${url}  (a request: ${url}/approvals/${id('apr', 1)})`);
}
