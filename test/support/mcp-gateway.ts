/** The MCP enforcer in this process, before a real server, with small fakes of our own interfaces behind it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Approvals } from '#client/approvals';
import { systemClock, timestamp } from '#client/clock';
import type { Lease } from '#client/credentials';
import type { Principal } from '#client/identity';
import { Ids } from '#client/ids';
import { silentLog, type Log } from '#client/log';
import { listTools, ourselves } from '#enforcers/mcp/catalog';
import type { Enforcer } from '#enforcers/common/enforcer';
import { Meters } from '#enforcers/common/meters';
import { startMcpEnforcer } from '#enforcers/mcp/enforcer';
import { pinsOf, writePins } from '#enforcers/mcp/pins';
import type { McpTarget, McpUpstream } from '#enforcers/mcp/target';
import { upstreamOf } from '#enforcers/mcp/upstream/upstream';
import { InterlockError } from '#schemas/errors';
import type { Event } from '#schemas/event';
import { McpDecisions, type McpRule } from './mcp-decisions.ts';
import { MemoryJournal } from './memory-journal.ts';
import { principal } from './postgres-gateway.ts';

export interface McpGateway extends AsyncDisposable {
  readonly enforcer: Enforcer;
  readonly decisions: McpDecisions;
  readonly journal: MemoryJournal;
  readonly url: string;
  readonly tokens: Map<string, Principal>;
  readonly dir: string;
  readonly target: McpTarget;
  /** Pins what the server says now. */
  pin(): Promise<void>;
  events(): Event[];
}

export interface McpGatewayOptions {
  readonly upstream: McpUpstream;
  readonly rule?: McpRule;
  readonly approvals?: (journal: MemoryJournal) => Promise<Approvals>;
  readonly target?: Partial<McpTarget>;
  readonly lease?: Partial<Lease>;
  readonly dir?: string;
  readonly pinned?: boolean;
  readonly journal?: MemoryJournal;
  readonly log?: Log;
}

export const MCP_TOKEN = 'token-of-alice';
export const MCP_OTHER = 'token-of-bob';

export async function startMcpGateway(options: McpGatewayOptions): Promise<McpGateway> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'interlock-mcp-'));
  const decisions = new McpDecisions(options.rule);
  const journal = options.journal ?? new MemoryJournal(systemClock);
  const tokens = new Map([
    [MCP_TOKEN, principal('alice')],
    [MCP_OTHER, principal('bob')],
  ]);
  const target: McpTarget = {
    name: 'tools',
    listen: { host: '127.0.0.1', port: 0 },
    upstream: options.upstream,
    env: 'test',
    labels: {},
    limits: { connections: 100, statementBytes: 1_048_576, idleMs: 900_000 },
    approvals: { waitMs: 20_000 },
    publicUrl: 'https://interlock.example.com',
    pinsFile: join(dir, 'tools.lock.json'),
    stateDir: dir,
    arguments: {},
    origins: [],
    hosts: [],
    fromServer: { sampling: false, elicitation: false, roots: false, logging: false },
    pollMs: 5_000,
    ...options.target,
  };
  const pin = async (): Promise<void> => {
    const parts = { target: 'tools', clock: systemClock, log: silentLog };
    const era = options.upstream.kind === 'http' ? 'modern' : 'legacy';
    const link = await upstreamOf(options.upstream, parts).open({ id: '', user: '', password: '' }, ourselves(era));
    try {
      writePins(target.pinsFile, pinsOf(await listTools(link), timestamp(systemClock.wallUs())));
    } finally {
      link.close();
    }
  };
  if (options.pinned !== false) await pin();
  const enforcer = await startMcpEnforcer({
    target,
    decisions,
    journal,
    approvals: options.approvals ? await options.approvals(journal) : noApprovals,
    credentials: { lease: () => Promise.resolve({ id: 'lea_test', user: '', password: '', ...options.lease }), release: () => {} },
    identity: {
      authenticate: (token) => {
        const known = tokens.get(token);
        return known ? Promise.resolve(known) : Promise.reject(new InterlockError('AUTH_FAILED', 'not a token of this test'));
      },
    },
    clock: systemClock,
    meters: new Meters(null, systemClock),
    ids: new Ids(systemClock),
    log: options.log ?? silentLog,
  });
  return {
    enforcer,
    decisions,
    journal,
    tokens,
    dir,
    target,
    pin,
    url: `http://127.0.0.1:${enforcer.address.port}/mcp/tools`,
    events: () => [...journal.disk.events],
    [Symbol.asyncDispose]: async () => {
      await enforcer.close();
      if (options.dir === undefined) rmSync(dir, { recursive: true, force: true });
    },
  };
}

const unavailable = (): Promise<never> => Promise.reject(new InterlockError('APPROVAL_UNAVAILABLE', 'no approvals in this test'));
const noApprovals: Approvals = {
  request: unavailable,
  settled: unavailable,
  consume: unavailable,
  cancel: () => Promise.resolve(),
  supersede: () => Promise.resolve(),
};
