/** Receivers that speak the real protocols, and requests that a test makes happen: what the tests of notification start from. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { systemClock } from '#client/clock';
import { silentLog } from '#client/log';
import type { NotifyLimits } from '#engine/approvals/notify/limits';
import { openNotifier } from '#engine/approvals/notify/notify';
import type { Channel, Notifier, NotifyOptions, RequestChange, Requests, Transport } from '#engine/approvals/notify/parts';
import { webhookChannel } from '#engine/approvals/notify/webhook';
import type { ApprovalState, ApprovalView } from '#schemas/approval';
import { InterlockError } from '#schemas/errors';
import { requirement, subject } from './approvals.ts';
import { MemoryDisk, MemoryJournal } from './memory-journal.ts';

export const PUBLIC_URL = 'https://interlock.example.com';
export const SECRET = `whsec_${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`;

export interface Received {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface Receiver extends AsyncDisposable {
  readonly url: string;
  readonly received: readonly Received[];
  /** What the n-th request (from 0) gets; null: no answer at all. Default: 200. */
  answer: (at: number, request: Received) => { readonly status: number; readonly headers?: Record<string, string> } | null;
}

export async function openReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const one = { path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString('utf8') };
    const answer = receiver.answer(received.push(one) - 1, one);
    if (answer !== null) response.writeHead(answer.status, answer.headers).end('ok');
  };
  const server = createServer((request, response) => void serve(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    answer: () => ({ status: 200 }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return receiver;
}

export interface MailReceived {
  readonly from: string;
  readonly to: readonly string[];
  readonly secure: boolean;
  readonly user: string | null;
  readonly raw: string;
  /** By lower-case name, unfolded; every occurrence. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
}

export interface MailServer extends AsyncDisposable {
  readonly port: number;
  readonly received: readonly MailReceived[];
  /** Answers RCPT with this status instead of taking it. */
  refuse: number | null;
}

export async function openMailServer(options: SMTPServerOptions = {}): Promise<MailServer> {
  const received: MailReceived[] = [];
  const server = new SMTPServer({
    logger: false,
    authOptional: true,
    onRcptTo: (_address, _session, done) => {
      if (mail.refuse === null) return done();
      done(Object.assign(new Error('not here'), { responseCode: mail.refuse }));
    },
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.once('end', () => {
        const raw = Buffer.concat(chunks).toString('utf8');
        const { mailFrom, rcptTo } = session.envelope;
        const from = mailFrom === false ? '' : mailFrom.address;
        received.push({
          from,
          to: rcptTo.map(({ address }) => address),
          secure: session.secure,
          user: session.user ?? null,
          raw,
          headers: headersOf(raw),
        });
        done();
      });
    },
    ...options,
  });
  server.on('error', () => {}); // a client that goes away: what was received is what counts
  const listening = server.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  const mail: MailServer = {
    port: (listening.address() as AddressInfo).port,
    received,
    refuse: null,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(resolve)),
  };
  return mail;
}

function headersOf(raw: string): ReadonlyMap<string, readonly string[]> {
  const headers = new Map<string, string[]>();
  const head = raw.slice(0, raw.indexOf('\r\n\r\n')).replaceAll(/\r\n[ \t]+/g, ' ');
  for (const line of head.split('\r\n')) {
    const name = line.slice(0, line.indexOf(':')).toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), line.slice(line.indexOf(':') + 1).trim()]);
  }
  return headers;
}

/** The approvals' side, as a test makes it happen. */
export class FakeRequests implements Requests {
  readonly views = new Map<string, ApprovalView>();
  readonly #listeners = new Set<(change: RequestChange) => void>();

  show(approvalId: string): ApprovalView {
    const view = this.views.get(approvalId);
    if (!view) throw new InterlockError('APPROVAL_NOT_FOUND', `there is no approval request ${approvalId}`);
    return view;
  }

  list({ state }: { readonly state: ApprovalState }): readonly ApprovalView[] {
    return [...this.views.values()].filter((view) => view.state === state);
  }

  onChange(listener: (change: RequestChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  put(view: ApprovalView): void {
    this.views.set(view.approval_id, view);
  }

  happen(about: string, view: ApprovalView): void {
    this.put(view);
    for (const listener of this.#listeners) listener({ approvalId: view.approval_id, about, state: view.state });
  }
}

let requests = 0;

export const TEXT = 'UPDATE payments SET iban = $1 WHERE card = 4111111111111111';

export function approvalView(more: Partial<ApprovalView> = {}): ApprovalView {
  const asked = more.requirement ?? requirement();
  const digest = `sha256:${'d'.repeat(64)}`;
  return {
    approval_id: `apr_01J${String(++requests).padStart(23, '0')}`,
    state: 'open',
    requirement: asked,
    progress: asked.stages.map(({ id, quorum }, at) => ({ stage: id, approved_by: [], needed: quorum, state: at === 0 ? 'asked' : 'waiting' })),
    subject: subject('alice', ['support']),
    target: 'shop',
    payload_text: TEXT,
    params: ['CH93-0076-2011-6238-5295-7'],
    binding: {
      principal: 'x',
      on_behalf_of: null,
      target: 'shop',
      database: 'shop',
      role: 'rw',
      payload: digest,
      params: null,
      settings: {},
      transaction: 'idle',
      objects: [],
      requirement: digest,
    },
    payload_digest: digest,
    expires_at: '2026-11-24T10:00:00.000000Z',
    requested_at: '2026-11-23T10:00:00.000000Z',
    summary: 'updates public.payments where a column equals a value',
    reasons: [{ policy: 'policies.sql.writes', code: 'WRITE_IN_PRODUCTION', reason: 'writes need approval', effect: 'require_approval' }],
    uses: 0,
    ...more,
  };
}

export interface Bench {
  readonly disk: MemoryDisk;
  readonly journal: MemoryJournal;
  readonly requests: FakeRequests;
  readonly notifier: Notifier;
}

/** Quick enough for a test, and otherwise as in earnest. */
export const QUICK: Partial<NotifyLimits> = { backoffMs: 4, backoffMsMax: 20, gatherMs: 40, timeoutMs: 2_000 };

/** Over real time, because receivers live in it. */
export async function openBench(
  channels: readonly Channel[],
  more: {
    readonly disk?: MemoryDisk;
    readonly requests?: FakeRequests;
    readonly limits?: Partial<NotifyLimits>;
    readonly people?: NotifyOptions['people'];
  } = {},
): Promise<Bench> {
  const disk = more.disk ?? new MemoryDisk();
  const journal = new MemoryJournal(systemClock, disk);
  const asked = more.requests ?? new FakeRequests();
  const limits = { ...QUICK, ...more.limits };
  const notifier = openNotifier({
    journal,
    clock: systemClock,
    log: silentLog,
    publicUrl: PUBLIC_URL,
    channels,
    limits,
    ...(more.people && { people: more.people }),
  });
  await notifier.start(asked);
  return { disk, journal, requests: asked, notifier };
}

export function channel(name: string, transport: Transport, more: Partial<Channel> = {}): Channel {
  return { name, transport, on: null, stages: null, targets: null, groups: null, templates: {}, ...more };
}

export function hook(receiver: Receiver): Transport {
  return webhookChannel({ url: receiver.url, secret: () => Promise.resolve(SECRET) });
}

/** What the journal has, durable or not yet. */
export async function sentOf(journal: MemoryJournal): Promise<readonly Record<string, unknown>[]> {
  await journal.durable(journal.append({ type: 'journal.closed', reason: 'looked at' }));
  const events: Record<string, unknown>[] = [];
  for await (const event of journal.events()) if (event.type === 'notification.sent') events.push({ ...event });
  return events;
}
