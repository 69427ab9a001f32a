/** The HTTP enforcer in this process, before a real server that records bytes, with small fakes of our own interfaces behind it. */
import { createHash } from 'node:crypto';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Approvals, Ticket } from '#client/approvals';
import { systemClock, timestamp } from '#client/clock';
import type { Lease } from '#client/credentials';
import type { Decided, DecisionService, DecisionSession, Moment, SessionScope, Statement } from '#client/decision-service';
import type { Principal } from '#client/identity';
import { Ids } from '#client/ids';
import { silentLog, type Log } from '#client/log';
import { readDescription } from '#engine/facts/http/description';
import { readHttp } from '#engine/facts/http/reader';
import type { Enforcer } from '#enforcers/common/enforcer';
import { Meters } from '#enforcers/common/meters';
import { startHttpEnforcer } from '#enforcers/http/enforcer';
import type { HttpTarget } from '#enforcers/http/target';
import type { Decision, Judgement, Obligation, Requirement } from '#schemas/decision';
import { InterlockError } from '#schemas/errors';
import type { Event } from '#schemas/event';
import type { HttpFacts } from '#schemas/http-facts';
import type { HttpCatalog, Knowledge } from '#schemas/knowledge';
import { MemoryJournal } from './memory-journal.ts';
import { principal } from './postgres-gateway.ts';

export type HttpAnswer =
  | { readonly effect: 'allow'; readonly obligations?: readonly Obligation[] }
  | { readonly effect: 'deny'; readonly code: string; readonly reason: string; readonly hint?: string }
  | { readonly effect: 'require_approval'; readonly requirement: Requirement };

export type HttpRule = (asked: { readonly facts: HttpFacts; readonly moment: Moment }) => HttpAnswer;

export const ALLOW_HTTP: HttpAnswer = { effect: 'allow' };
export const HTTP_TOKEN = 'token-of-alice';
const DIGEST = `sha256:${'a'.repeat(64)}`;

/** A server that answers as the test says, and keeps every byte that it was sent, connection by connection. */
export interface Recorder extends AsyncDisposable {
  readonly port: number;
  readonly connections: string[];
  /** All of it. */
  readonly received: string;
  /** Start lines of requests, in order. */
  readonly requests: string[];
  reply: (request: string, socket: Socket) => void;
}

export const OK = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{"ok":true}';

export async function startRecorder(reply: string | Recorder['reply'] = OK): Promise<Recorder> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    const at = recorder.connections.push('') - 1;
    let pending = '';
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (bytes: Buffer) => {
      recorder.connections[at] += bytes.toString('latin1');
      pending += bytes.toString('latin1');
      for (let whole = wholeRequest(pending); whole > 0; whole = wholeRequest(pending)) {
        const request = pending.slice(0, whole);
        pending = pending.slice(whole);
        recorder.requests.push(request.slice(0, request.indexOf('\r\n')));
        recorder.reply(request, socket);
      }
    });
  });
  const recorder = {
    port: 0,
    connections: [] as string[],
    requests: [] as string[],
    get received(): string {
      return recorder.connections.join('\n');
    },
    reply: typeof reply === 'string' ? (_: string, socket: Socket): void => void socket.write(reply, 'latin1') : reply,
    [Symbol.asyncDispose]: async (): Promise<void> => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  recorder.port = (server.address() as AddressInfo).port;
  return recorder;
}

function wholeRequest(text: string): number {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return 0;
  const length = Number(/\r\ncontent-length: (\d+)\r\n/i.exec(text.slice(0, end + 2))?.[1] ?? 0);
  return text.length >= end + 4 + length ? end + 4 + length : 0;
}

export interface HttpGateway extends AsyncDisposable {
  readonly enforcer: Enforcer;
  readonly port: number;
  readonly url: string;
  readonly journal: MemoryJournal;
  readonly tokens: Map<string, Principal>;
  readonly scopes: SessionScope[];
  readonly facts: HttpFacts[];
  rule: HttpRule;
  opening: HttpAnswer;
  /** Leases that were ended. */
  readonly released: string[];
  events(): Promise<Event[]>;
}

export interface HttpGatewayOptions {
  readonly upstream: { readonly port: number } | string;
  readonly rule?: HttpRule;
  readonly lease?: Partial<Lease>;
  readonly target?: Partial<HttpTarget>;
  readonly routes?: string;
  readonly approvals?: (journal: MemoryJournal) => Promise<Approvals>;
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  readonly log?: Log;
}

export async function startHttpGateway(options: HttpGatewayOptions): Promise<HttpGateway> {
  const journal = new MemoryJournal(systemClock);
  const tokens = new Map([[HTTP_TOKEN, principal('alice')]]);
  const catalog = readDescription({
    openapi: null,
    graphql: null,
    routes: options.routes === undefined ? null : { file: 'routes.yaml', text: options.routes },
  });
  const url = typeof options.upstream === 'string' ? options.upstream : `http://127.0.0.1:${options.upstream.port}`;
  const released: string[] = [];
  const decisions = new HttpDecisions(options.rule ?? (() => ALLOW_HTTP));
  const enforcer = await startHttpEnforcer({
    target: {
      name: 'billing',
      listen: { host: '127.0.0.1', port: 0 },
      upstream: { url },
      catalog,
      env: 'test',
      labels: {},
      limits: { connections: 500, statementBytes: 1_048_576, idleMs: 900_000 },
      approvals: { waitMs: 20_000 },
      publicUrl: 'https://interlock.example.com',
      ...options.target,
    },
    decisions,
    journal,
    approvals: options.approvals ? await options.approvals(journal) : noApprovals,
    credentials: {
      lease: () => Promise.resolve({ id: 'lea_test', user: 'svc', password: 's3cret-canary', scheme: { kind: 'bearer' }, ...options.lease }),
      release: ({ id }) => released.push(id),
    },
    identity: {
      authenticate: (token) => {
        const known = tokens.get(token);
        return known ? Promise.resolve(known) : Promise.reject(new InterlockError('AUTH_FAILED', 'not a token of this test'));
      },
    },
    meters: new Meters(null, systemClock),
    clock: systemClock,
    ids: new Ids(systemClock),
    log: options.log ?? { ...silentLog, error: (fields, message) => console.error(message, fields) },
    ...(options.resolve !== undefined && { resolve: options.resolve }),
  });
  const { port } = enforcer.address;
  return {
    enforcer,
    port,
    url: `${options.target?.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    journal,
    tokens,
    scopes: decisions.scopes,
    facts: decisions.facts,
    get rule() {
      return decisions.rule;
    },
    set rule(rule) {
      decisions.rule = rule;
    },
    get opening() {
      return decisions.opening;
    },
    set opening(opening) {
      decisions.opening = opening;
    },
    released,
    events: async () => {
      await journal.durable(journal.append({ type: 'admin.changed', by: 'test', what: 'mark' }));
      return journal.disk.events.filter((event) => event.type !== 'admin.changed');
    },
    [Symbol.asyncDispose]: () => enforcer.close(),
  };
}

class HttpDecisions implements DecisionService {
  readonly revision = DIGEST;
  readonly masksPossible = true;
  readonly scopes: SessionScope[] = [];
  readonly facts: HttpFacts[] = [];
  rule: HttpRule;
  opening: HttpAnswer = ALLOW_HTTP;
  #catalog: HttpCatalog | null = null;
  readonly #ids = new Ids(systemClock);

  constructor(rule: HttpRule) {
    this.rule = rule;
  }

  learn(_target: string, knowledge: Knowledge): void {
    if ('kind' in knowledge && knowledge.kind === 'http') this.#catalog = knowledge;
  }

  openSession(scope: SessionScope): DecisionSession {
    this.scopes.push(scope);
    return {
      opening: this.#decision(judgementOf(this.opening), new Uint8Array()),
      read: (text) => {
        const facts = readHttp(text, { catalog: this.#catalog, graphql: () => ({ graphql: null, effects: [], opaque: [] }) });
        this.facts.push(facts);
        return { text, facts, readsParams: false };
      },
      decide: (statement, moment) => this.#decide(statement, moment),
      close: () => {},
    };
  }

  #decide(statement: Statement, moment: Moment): Decided {
    const facts = statement.facts as HttpFacts;
    const answer: HttpAnswer = facts.parsed
      ? this.rule({ facts, moment })
      : { effect: 'deny', code: 'UNPARSED', reason: facts.opaque[0]?.detail ?? 'not parsed' };
    const judgement = judgementOf(answer);
    return { decision: this.#decision(judgement, statement.text), judgement, rewrite: null, cached: false, judgedUs: 1 };
  }

  #decision(judgement: Judgement, text: Uint8Array): Decision {
    const payload = `sha256:${createHash('sha256').update(text).digest('hex')}`;
    return {
      decision_id: this.#ids.next('dec'),
      ...judgement,
      binding: { payload, context: DIGEST, expires_at: timestamp(systemClock.wallUs() + 5e6) },
    };
  }
}

function judgementOf(answer: HttpAnswer): Judgement {
  const denied = answer.effect === 'deny' ? answer : null;
  const obligations = answer.effect === 'allow' ? [...(answer.obligations ?? [])] : [];
  const effect = answer.effect === 'allow' && obligations.some(({ type }) => type === 'mask') ? 'mask' : answer.effect;
  return {
    effect,
    reasons: [
      {
        policy: denied?.code === 'UNPARSED' ? 'interlock' : 'policies.test.rule',
        code: denied?.code ?? effect.toUpperCase(),
        reason: denied?.reason ?? `${effect} by the test`,
        effect,
        ...(denied?.hint !== undefined && { hint: denied.hint }),
      },
    ],
    obligations,
    approval: answer.effect === 'require_approval' ? answer.requirement : null,
    revision: DIGEST,
    shadow: [],
  };
}

const unavailable = (): Promise<Ticket> => Promise.reject(new InterlockError('APPROVAL_UNAVAILABLE', 'no approvals in this test'));
const noApprovals: Approvals = {
  request: unavailable,
  settled: unavailable,
  consume: () => Promise.reject(new InterlockError('APPROVAL_UNAVAILABLE', 'no approvals in this test')),
  cancel: () => Promise.resolve(),
  supersede: () => Promise.resolve(),
};
