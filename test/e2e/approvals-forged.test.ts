/**
 * Somebody with an engine's own key for NATS, as a server's operator might be, and without the authority's: what is forged approves nothing at any of two real
 * engines, is an alarm, health is red, and `interlock status` says so. Before and after each of it an ordinary statement is approved and runs (A8, N1; ADR 0031).
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '#client/clock';
import { decodeMessage } from '#engine/approvals/ordering/message';
import { Tags } from '#engine/approvals/ordering/tagging';
import { openAuthority } from '#engine/enrolment/authority';
import { readJournal } from '#engine/journal/reader';
import type { NatsLink } from '#engine/nats/connection';
import type { ApprovalView } from '#schemas/approval';
import type { ArchiveAlarm } from '#schemas/event';
import { somebody, STREAMS, until } from '#test/support/nats';
import { cli } from '#test/support/processes';
import { SharedGateway } from '#test/support/shared-gateway';

const alice = { login: 'alice', groups: ['support'] };
const bob = { login: 'bob', groups: ['owners'], scope: 'approve' } as const;
const carol = { login: 'carol', groups: ['owners', 'admins'], scope: 'approve' } as const;
const STREAM = STREAMS.approvals;

interface Message {
  readonly seq: number;
  readonly subject: string;
  readonly body: Buffer;
}

let gateway: SharedGateway;
let link: NatsLink;
let forger: NatsConnection;
let tags: Tags;
let log = '';
let payment = 0;

beforeAll(async () => {
  gateway = await SharedGateway.start();
  link = as('one');
  forger = await link.connection();
  const manager = await jetstreamManager(forger, { checkAPI: false });
  log = `${STREAM} ${(await manager.streams.info(STREAM)).created}`;
  tags = new Tags((await openAuthority(join(gateway.dir, 'one', 'state', 'keys'), systemClock)).keyFor('order 1'));
  for (const { name } of gateway.engines) await until(async () => (await health(name)).ok, 15_000, `the health of ${name}`);
}, 120_000);
afterAll(async () => {
  await link.close();
  await gateway[Symbol.asyncDispose]();
});

/** By the engine's own seed: it may publish all that the engine may. */
function as(engine: string): NatsLink {
  const seed = readFileSync(join(gateway.dir, engine, 'seed'), 'utf8');
  return gateway.nats.link({ ...somebody('engine', 'forger'), seed });
}

async function all(): Promise<readonly Message[]> {
  const manager = await jetstreamManager(forger, { checkAPI: false });
  const { state } = await manager.streams.info(STREAM);
  const found: Message[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const message = await manager.streams.getMessage(STREAM, { seq });
    if (message) found.push({ seq, subject: message.subject, body: Buffer.from(message.data) });
  }
  return found;
}

/** @returns its number: the server takes it */
async function put(subject: string, body: Uint8Array): Promise<number> {
  return (await jetstream(forger).publish(subject, body)).seq;
}

/** Asked at the enforcer, approved at either engine, run once. */
async function benign(): Promise<void> {
  for (const engine of ['one', 'two']) {
    const id = ++payment;
    const client = await gateway.client(alice);
    const held = client.query(`UPDATE payments SET n = n + 1 WHERE id = ${id}`);
    expect(await gateway.verdict(engine, bob, await gateway.opened(engine, bob, `WHERE id = ${id}`))).toBe(200);
    await held;
    expect(await gateway.n(id)).toBe(1);
    await client.end();
  }
}

async function alarms(engine: string): Promise<readonly ArchiveAlarm[]> {
  const found: ArchiveAlarm[] = [];
  for await (const event of readJournal(join(gateway.dir, engine, 'journal'))) if (event.type === 'archive.alarm') found.push(event);
  return found;
}

async function health(engine: string): Promise<{ readonly ok: boolean; readonly said: string }> {
  const { body } = await gateway.call(engine, carol, '/v1/status');
  const { ok, problems } = body as { readonly ok: boolean; readonly problems: readonly { readonly code: string; readonly detail: string }[] };
  return { ok, said: problems.map(({ code, detail }) => `${code}: ${detail}`).join('; ') };
}

/** Both have told of this one, and of nothing else. */
async function told(seq: number, why: RegExp): Promise<void> {
  for (const { name } of gateway.engines) {
    await until(async () => (await alarms(name)).some(({ detail }) => detail.startsWith(`message ${seq} `)), 10_000, `an alarm of ${name}`);
    const [last] = (await alarms(name)).filter(({ detail }) => detail.startsWith(`message ${seq} `));
    expect(last).toMatchObject({ code: 'forged', open: true, of: STREAM });
    expect(last?.detail).toMatch(why);
    expect(await health(name)).toMatchObject({ ok: false, said: expect.stringContaining(`left out: ${STREAM}`) });
  }
}

/** The verdict on another request, as an engine wrote it: its body, and how a tag for that place is made. */
async function earlierVerdict(): Promise<Message> {
  const found = (await all()).findLast(({ subject, body }) => {
    const plain = tags.read({ log, subject }, body)?.body;
    const message = plain && decodeMessage(plain);
    return message?.kind === 'change' && message.events.some(({ type }) => type === 'approval.verdict');
  });
  if (!found) throw new Error('nobody decided anything yet');
  return found;
}

/** The same verdict, on this request. */
async function forgedVerdict({
  approval_id: id,
}: ApprovalView): Promise<{ readonly subject: string; readonly plain: Buffer; readonly whole: Message }> {
  const whole = await earlierVerdict();
  const plain = Buffer.from(tags.read({ log, subject: whole.subject }, whole.body)?.body ?? []);
  const message = decodeMessage(plain);
  const earlier = message.kind === 'change' ? message.stream : '';
  expect(id).toHaveLength(earlier.length);
  const text = plain
    .toString('utf8')
    .replaceAll(earlier, id)
    .replace(/"change":"chg_[^"]*"/, `"change":"chg_${crypto.randomUUID()}"`);
  return { subject: whole.subject, plain: Buffer.from(text), whole };
}

type Way = (verdict: Awaited<ReturnType<typeof forgedVerdict>>) => Promise<number>;
const other = new Tags(Buffer.alloc(32, 7));

const WAYS: Readonly<Record<string, readonly [way: Way, why: RegExp]>> = {
  'a verdict without a tag': [({ subject, plain }) => put(subject, plain), /no tag/],
  'a verdict with the key of another installation': [
    async ({ subject, plain }) => {
      const after = (await all()).at(-1)?.seq ?? 0;
      return put(subject, other.write({ log, subject }, { after, alone: false, body: plain }));
    },
    /not of this installation/,
  ],
  'an engine’s verdict with an altered body': [
    ({ subject, plain, whole }) => put(subject, Buffer.concat([whole.body.subarray(0, whole.body.length - plain.length), plain])),
    /not of this installation and place/,
  ],
  'an engine’s verdict once more': [({ whole }) => put(whole.subject, whole.body), /for another place/],
  'an engine’s verdict on another subject': [({ whole }) => put(`approvals.${'0'.repeat(32)}`, whole.body), /not of this installation and place/],
};

test.each(Object.entries(WAYS))(
  'A8: %s approves nothing, is an alarm and red; statements before and after it are approved',
  {
    timeout: 60_000,
  },
  async (_, [way, why]) => {
    await benign();
    const id = ++payment;
    const client = await gateway.client(alice);
    const held = client.query(`UPDATE payments SET n = n + 1 WHERE id = ${id}`);
    const asked = await gateway.opened('one', bob, `WHERE id = ${id}`);
    const seq = await way(await forgedVerdict(asked));
    await told(seq, why);
    for (const { name } of gateway.engines) expect((await gateway.opened(name, bob, `WHERE id = ${id}`)).state).toBe('open');
    expect(await gateway.n(id)).toBe(0);
    await benign();
    expect(await gateway.n(id)).toBe(0);
    // the one that was forged for is decided by who may
    expect(await gateway.verdict('two', bob, asked)).toBe(200);
    await held;
    expect(await gateway.n(id)).toBe(1);
    await client.end();
  },
);

test('the control: what the authority’s key has tagged for this place counts', { timeout: 60_000 }, async () => {
  await benign();
  const id = ++payment;
  const client = await gateway.client(alice);
  const held = client.query(`UPDATE payments SET n = n + 1 WHERE id = ${id}`);
  const { subject, plain } = await forgedVerdict(await gateway.opened('one', bob, `WHERE id = ${id}`));
  const after = (await all()).at(-1)?.seq ?? 0;
  await put(subject, tags.write({ log, subject }, { after, alone: false, body: plain }));
  await held;
  expect(await gateway.n(id)).toBe(1);
  await client.end();
});

test('A8: words between engines that none of them said: an alarm, and no session ends for it', { timeout: 60_000 }, async () => {
  const client = await gateway.client(alice);
  await client.query('SELECT n FROM payments WHERE id = 30');
  const { body } = await gateway.call('one', carol, '/v1/sessions/page?state=open');
  const [session] = (body as { readonly items: readonly { readonly session_id: string }[] }).items;
  for (const [topic, said] of [
    ['end', { engine: 'x', ask: 'x', session: session?.session_id }],
    ['presence', { v: 1, engine: 'x', claim: null, left_out: { from: 1, seqs: [] }, ask: 'x', heard: {} }],
    ['fleet', { engine: 'x', reports: [] }],
  ] as const) {
    forger.publish(`engines.${topic}`, JSON.stringify(said));
    for (const { name } of gateway.engines)
      await until(
        async () => (await alarms(name)).some(({ code, of }) => code === 'forged' && of === `engines.${topic}`),
        10_000,
        `an alarm of ${name}`,
      );
  }
  expect((await client.query('SELECT n FROM payments WHERE id = 30')).rows).toEqual([{ n: 0 }]);
  await client.end();
  await benign();
});

test('`interlock status` says so; an engine that is restarted says it again, and all goes on; what was looked into is no alarm any more', {
  timeout: 60_000,
}, async () => {
  const { configFile } = gateway.engine('two');
  await gateway.engine('two').process.end('SIGTERM');
  await gateway.again('two');
  const shown = await status(configFile);
  expect(shown).toMatchObject({
    code: 1,
    out: expect.stringMatching(
      /^ok +NO\nPROBLEM +archive_drift: messages that no engine of this installation wrote were left out: INTERLOCK_APPROVALS$/m,
    ),
  });
  await benign();
  const config = JSON.parse(readFileSync(configFile, 'utf8')) as { readonly nats: object };
  const newest = (await all()).at(-1)?.seq ?? 0;
  writeFileSync(configFile, JSON.stringify({ ...config, nats: { ...config.nats, looked_into: newest } }));
  await until(async () => (await health('two')).ok);
  await until(async () => (await alarms('two')).at(-1)?.open === false);
  expect((await alarms('two')).at(-1)).toMatchObject({ code: 'forged', of: STREAM });
  expect((await health('one')).ok).toBe(false);
  await benign();
  const seq = await put('approvals.x', Buffer.from('{"v":1}'));
  await told(seq, /no tag/);
});

async function status(configFile: string): Promise<{ readonly code: number; readonly out: string }> {
  const tokenFile = join(gateway.dir, 'carol.token');
  writeFileSync(tokenFile, await gateway.token(carol), { mode: 0o600 });
  return new Promise((resolve) => {
    execFile(process.execPath, [cli, 'status', '-c', configFile, '--token-file', tokenFile], (error, out) =>
      resolve({ code: error === null ? 0 : Number(error.code), out }),
    );
  });
}
