/** A whole gateway before a real MCP server, in the shape of the run: policies of test/policies/tools, approvals by the API, tokens of its own issuer. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { systemClock, timestamp } from '#client/clock';
import { silentLog } from '#client/log';
import { loadConfig } from '#engine/config/load';
import { openLocalIssuer } from '#engine/identity/local-issuer';
import { followJournal } from '#engine/journal/reader';
import { openTheLocalIssuer } from '#engine/judging';
import { listTools, ourselves } from '#enforcers/mcp/catalog';
import { pinsOf, writePins } from '#enforcers/mcp/pins';
import { upstreamOf } from '#enforcers/mcp/upstream/upstream';
import type { Event } from '#schemas/event';
import { type Gateway, startGateway } from './gateway.ts';
import { modern, raw, type RawAnswer } from './mcp-clients.ts';
import { root } from './processes.ts';

export interface McpShop extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly dir: string;
  /** Of the endpoint of the target `tools`. */
  readonly url: string;
  readonly api: string;
  /** Of somebody of support. */
  token(login: string): Promise<string>;
  /** Of an agent, on behalf of somebody of support. */
  agent(login: string): Promise<string>;
  /** Of alice, for one resource alone (RFC 8707). */
  tokenFor(resource: string): Promise<string>;
  call(token: string, name: string, args: object, more?: object, capabilities?: object): Promise<RawAnswer>;
  approve(approvalId: string): Promise<void>;
  /** Of the journal of the enforcer. */
  events(): Promise<readonly Event[]>;
  /** Its journal is whole, and tells a story that can be. */
  verified(): Promise<void>;
  /** Kills every process of it, and starts it anew on the same files. */
  killed(): Promise<void>;
}

export interface McpShopOptions {
  readonly server: string;
  /** Merged over the section `mcp`. */
  readonly mcp?: object;
  /** Beside `tools`. */
  readonly targets?: object;
  readonly config?: object;
  /** Default: test/policies/tools. */
  readonly policies?: { readonly dir: string; readonly data?: readonly string[] };
}

/** Policies that allow `search`, `customers` (masked), `run_sql`, and `refund` with an approval, to group `support`. */
export const TOOLS: string = join(root, 'test', 'policies', 'tools');

export async function startMcpShop({ server, mcp, targets, config, policies }: McpShopOptions): Promise<McpShop> {
  const dir = mkdtempSync(join(tmpdir(), 'interlock-mcp-shop-'));
  const pins = join(dir, 'tools.lock.json');
  await pinTools(server, pins);
  const section = { url: server, pins, poll: '2s', ...mcp };
  const start = (): Promise<Gateway> =>
    startGateway({
      upstream: { host: '127.0.0.1', port: 1, user: 'x', password: 'x', database: 'x' },
      policies: policies ?? { dir: TOOLS },
      dir,
      config: {
        api: { listen: '127.0.0.1:0', readers: ['auditors'] },
        targets: { tools: { protocol: 'mcp', listen: '127.0.0.1:0', env: 'test', mcp: section }, ...targets },
        ...config,
      },
    });
  let gateway = await start();
  const mint = async (login: string, scope: 'connect' | 'approve', group: string): Promise<string> => {
    const issuer = await openTheLocalIssuer(await loadConfig(gateway.configFile), systemClock);
    return (await issuer.mint({ login, groups: [group], type: 'user', scope, ttlMs: 3_600_000 })).token;
  };
  const url = (): string => `http://${gateway.ready.targets['tools']?.address ?? ''}/mcp/tools`;
  return {
    get gateway() {
      return gateway;
    },
    dir,
    get url() {
      return url();
    },
    get api() {
      return gateway.ready.api;
    },
    token: (login) => mint(login, 'connect', 'support'),
    agent: async (login) => {
      const issuer = await openTheLocalIssuer(await loadConfig(gateway.configFile), systemClock);
      const groups = ['support'];
      return (await issuer.mint({ login, groups, type: 'agent', onBehalfOf: 'alice', behalfGroups: groups, scope: 'connect', ttlMs: 3_600_000 }))
        .token;
    },
    tokenFor: async (audience) => {
      const issuer = await openLocalIssuer({ ...(await issuerOf(gateway)), audience, clock: systemClock });
      return (await issuer.mint({ login: 'alice', groups: ['support'], type: 'user', scope: 'connect', ttlMs: 3_600_000 })).token;
    },
    call: (token, name, args, more = {}, capabilities = {}) => modern(url(), token, 'tools/call', { name, arguments: args, ...more }, capabilities),
    approve: async (id) => {
      const headers = { authorization: `Bearer ${await mint('rita', 'approve', 'owners')}`, 'content-type': 'application/json' };
      const body = JSON.stringify({ outcome: 'approve' });
      const answer = await fetch(new URL(`/v1/approvals/${id}/verdict`, gateway.ready.api), { method: 'POST', headers, body });
      expect(answer.status, await answer.text()).toBe(200);
    },
    events: async () => {
      const events: Event[] = [];
      for await (const event of followJournal(gateway.ready.journal, { follow: false, signal: AbortSignal.timeout(30_000) })) events.push(event);
      return events;
    },
    verified: async () => {
      const { journal, public_key } = gateway.ready;
      expect(await gateway.interlock('audit', 'verify', '--dir', journal, '--key', public_key)).toMatchObject({ code: 0 });
    },
    killed: async () => {
      await gateway.end('SIGKILL');
      gateway = await start();
    },
    [Symbol.asyncDispose]: async () => {
      await gateway.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function issuerOf({ configFile }: Gateway): Promise<{ readonly dir: string; readonly url: string }> {
  const config = await loadConfig(configFile);
  const { config: local } = await openTheLocalIssuer(config, systemClock);
  return { dir: join(config.stateDir, 'issuer'), url: local.url };
}

/** As `interlock mcp pin` writes them. */
export async function pinTools(url: string, file: string): Promise<void> {
  const parts = { target: 'tools', clock: systemClock, log: silentLog };
  const link = await upstreamOf({ kind: 'http', url }, parts).open({ id: '', user: '', password: '' }, ourselves('modern'));
  try {
    writePins(file, pinsOf(await listTools(link), timestamp(systemClock.wallUs())));
  } finally {
    link.close();
  }
}

/** The approval that a held call waits for. */
export function approvalOf({ body, text }: RawAnswer): string {
  const meta = (body.result?.['_meta'] ?? {}) as Record<string, { readonly id?: string } | undefined>;
  const id = meta['dev.interlock/approval']?.id;
  if (id === undefined) throw new Error(`not held: ${text.slice(0, 200)}`);
  return id;
}

/** One call of an older client, in a session that was begun. */
export function legacyCall(url: string, token: string, session: string, name: string, args: object): Promise<RawAnswer> {
  return raw(url, token, { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name, arguments: args } }, { 'mcp-session-id': session });
}
