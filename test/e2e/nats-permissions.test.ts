/** What each identity may do towards NATS: N1, I8. Each refusal is proved to be one of permission, with somebody whom the same request answers. */
import { connect, errors, nkeyAuthenticator, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { silentLog } from '#client/log';
import { Alarms } from '#engine/journal/archive/alarms';
import { AuditStream } from '#engine/nats/audit-stream';
import { createIdentity, inboxOf } from '#engine/nats/identity';
import { permissionsOf, ROLES, type Role } from '#engine/nats/permissions';
import { serverConfig } from '#engine/nats/server-config';
import { differences, wantedStreams } from '#engine/nats/streams';
import { watchStreams } from '#engine/nats/watch';
import { fill, forward, memoryDir, testJournal } from '#test/support/archive';
import { somebody, STREAMS, TestNats, until } from '#test/support/nats';

const OWN = 'a'.repeat(32);
const OTHER = 'b'.repeat(32);
const enforcer = somebody('enforcer', 'shop', [OWN]);
const neighbour = somebody('enforcer', 'ledger', [OTHER]);
const engine = somebody('engine', 'engine', ['c'.repeat(32)]);
const auditor = somebody('auditor', 'auditor');
const setup = somebody('setup', 'setup');
/** May everything, as an operator might: of the tests alone, in a server of the tests. */
const operator = createIdentity();
const { audit, approvals } = STREAMS;

/** The printed configuration, and one who may everything. */
const withOperator = (config: string): string =>
  config.replace('    users: [\n      #', `    users: [\n      { nkey: ${operator.publicKey} }\n      #`);

let nats: TestNats;
const opened: NatsConnection[] = [];

beforeAll(async () => {
  nats = await TestNats.start({ grants: [enforcer, neighbour, engine, auditor, setup], replaced: withOperator });
  await nats.setUp(setup);
});

afterAll(async () => {
  await Promise.all(opened.map((connection) => connection.close()));
  await nats[Symbol.asyncDispose]();
});

async function as(who: { readonly seed: string; readonly publicKey: string }): Promise<NatsConnection> {
  const connection = await connect({
    servers: `127.0.0.1:${nats.port}`,
    authenticator: nkeyAuthenticator(new TextEncoder().encode(who.seed)),
    inboxPrefix: inboxOf(who.publicKey),
    reconnect: false,
  });
  opened.push(connection);
  return connection;
}

/** The server's answer, or `refused SUBJECT` when it said that it does not permit it. */
async function ask(connection: NatsConnection, subject: string, body: string): Promise<Msg | string> {
  try {
    return await connection.request(subject, body, { timeout: 2000 });
  } catch (error) {
    for (let at: unknown = error; at instanceof Error; at = at.cause)
      if (at instanceof errors.PermissionViolationError) return `refused ${at.operation} ${at.subject}`;
    return `unanswered: ${String(error)}`;
  }
}

/** The error's number in a JetStream answer; 0: none. */
function numberIn(answer: Msg | string): number | string {
  return typeof answer === 'string' ? answer : (answer.json<{ error?: { err_code: number } }>().error?.err_code ?? 0);
}

const STREAM_CHANGES: readonly (readonly [what: string, subject: string, body: object, positive: readonly number[]])[] = [
  ['change', `$JS.API.STREAM.UPDATE.${audit}`, { ...wantedStreams({ streams: STREAMS, replicas: 1, duplicateWindowMs: 3_600_000 })[0] }, [0]],
  // the operator is permitted to ask, and the stream itself says no
  ['purge', `$JS.API.STREAM.PURGE.${audit}`, {}, [10110, 10111, 10112]],
  ['delete a message of', `$JS.API.STREAM.MSG.DELETE.${audit}`, { seq: 1 }, [10110, 10111, 10112, 10057]],
  ['make', '$JS.API.STREAM.CREATE.OTHER', { name: 'OTHER', subjects: ['other'], storage: 'memory' }, [0]],
  ['delete', '$JS.API.STREAM.DELETE.OTHER', {}, [0]],
  ['list', '$JS.API.STREAM.NAMES', {}, [0]],
  ['snapshot', `$JS.API.STREAM.SNAPSHOT.${audit}`, { deliver_subject: 'x' }, [0]],
  ['step the leader down of', `$JS.API.STREAM.LEADER.STEPDOWN.${audit}`, {}, [10010, 0, 10052]],
];

describe('N1: an enforcer', () => {
  test.each(STREAM_CHANGES)('may not %s a stream: refused as not permitted, and the operator is answered', async (_, subject, body, positive) => {
    for (const who of [enforcer, engine, auditor]) expect(await ask(await as(who), subject, JSON.stringify(body))).toBe(`refused publish ${subject}`);
    const answer = numberIn(await ask(await as(operator), subject, JSON.stringify(body)));
    expect(positive).toContain(answer);
  });

  test.each([
    ['read how a stream is', `$JS.API.STREAM.INFO.${audit}`, ''],
    [
      'make a consumer',
      `$JS.API.CONSUMER.CREATE.${audit}.mine`,
      JSON.stringify({ stream_name: audit, config: { name: 'mine', ack_policy: 'none', inactive_threshold: 1e9 } }),
    ],
  ])('may not %s; an engine and an auditor may', async (_, subject, body) => {
    expect(await ask(await as(enforcer), subject, body)).toBe(`refused publish ${subject}`);
    for (const who of [engine, auditor]) expect(numberIn(await ask(await as(who), subject, body))).toBe(0);
  });

  test('may not read a message by number, nor another’s by subject; its own last one it may, and only that', async () => {
    const own = await as(enforcer);
    for (const subject of [`$JS.API.STREAM.MSG.GET.${audit}`, `$JS.API.DIRECT.GET.${audit}`, `$JS.API.DIRECT.GET.${audit}.audit.${OTHER}`])
      expect(await ask(own, subject, '{"seq":1}')).toBe(`refused publish ${subject}`);
    await ask(await as(neighbour), `audit.${OTHER}`, 'theirs');
    const mine = `$JS.API.DIRECT.GET.${audit}.audit.${OWN}`;
    for (const body of ['{"seq":1}', `{"last_by_subj":"audit.${OTHER}"}`, `{"multi_last":["audit.*"]}`, `{"next_by_subj":"audit.>"}`]) {
      const answer = await ask(own, mine, body);
      expect(typeof answer === 'string' ? answer : answer.headers?.code).toBe(408);
    }
    const empty = await ask(own, mine, '');
    expect(typeof empty === 'string' ? empty : empty.headers?.code).toBe(404);
  });

  test('may not write another journal, nor approvals; its own it may', async () => {
    const own = await as(enforcer);
    for (const subject of [`audit.${OTHER}`, 'audit.x.y', 'approvals.apr_1', `_INBOX.${neighbour.publicKey}.x`, '$JS.ACK.x', '$SYS.REQ.SERVER.PING'])
      expect(await ask(own, subject, 'x')).toBe(`refused publish ${subject}`);
    expect(numberIn(await ask(own, `audit.${OWN}`, 'mine'))).toBe(0);
    expect(numberIn(await ask(await as(neighbour), `audit.${OTHER}`, 'theirs'))).toBe(0);
  });

  test('may not listen to anything but its own inbox: not by wildcard, nor in a queue', async () => {
    const own = await as(enforcer);
    const subjects = [`_INBOX.${neighbour.publicKey}.>`, '_INBOX.>', '>', 'audit.*', `audit.${OWN}`, 'approvals.>', '$JS.>', '$SYS.>'];
    for (const subject of subjects) {
      for (const queue of [undefined, 'queue']) {
        const end = await own.subscribe(subject, queue === undefined ? {} : { queue }).closed;
        expect(end).toBeInstanceOf(errors.PermissionViolationError);
        expect(end).toMatchObject({ operation: 'subscription', subject });
      }
    }
    const mine = own.subscribe(`${inboxOf(enforcer.publicKey)}.y`);
    await own.flush();
    expect(mine.isClosed()).toBe(false);
    const theirs = await as(neighbour);
    expect(await ask(theirs, `${inboxOf(enforcer.publicKey)}.y`, 'x')).toMatch(/^refused publish/);
  });

  test('nobody comes in without a key of the list, and there is no other door', async () => {
    const stranger = createIdentity();
    await expect(as(stranger)).rejects.toThrow(errors.AuthorizationError);
    await expect(connect({ servers: `127.0.0.1:${nats.port}`, reconnect: false })).rejects.toThrow(errors.AuthorizationError);
    const config = serverConfig({
      name: 'n',
      listen: '127.0.0.1:1',
      storeDir: '/x',
      tls: null,
      cluster: null,
      system: [],
      grants: [enforcer],
      streams: STREAMS,
    });
    const settings = config.replaceAll(/#.*$/gm, '');
    expect(settings).not.toMatch(/no_auth_user|websocket|mqtt|leafnode|deny|allow_responses|password|token/);
    expect(settings).toMatch(/sync_interval: always/);
    expect(settings).toMatch(/system_account: SYS/);
  });

  test('no role may do everything, and none may change a stream', () => {
    for (const role of ROLES) {
      const { publish, subscribe } = permissionsOf({ role, name: 'x', publicKey: 'U', journals: [OWN] }, STREAMS);
      for (const subject of [...publish, ...subscribe]) {
        expect(subject).not.toMatch(/^[*>]|^\$JS\.[*>]|^\$JS\.API\.[*>]|^\$SYS|UPDATE|PURGE|STREAM\.DELETE|MSG\.DELETE|SNAPSHOT|RESTORE|STEPDOWN/);
      }
      const consumers = publish.some((subject) => subject.includes('CONSUMER.CREATE'));
      expect(consumers).toBe((['engine', 'auditor'] satisfies Role[] as Role[]).includes(role));
    }
  });
});

describe('N2: how a stream is set up', () => {
  test('setting up twice changes nothing; a difference is named', async () => {
    const reports = await nats.setUp(setup);
    expect(reports.map(({ state }) => state)).toEqual(['as it must be', 'as it must be']);
    const longer = await nats.setUp(setup, { duplicateWindowMs: 7_200_000 });
    expect(longer[0]).toMatchObject({ stream: audit, state: 'different', differences: ['duplicate_window is 3600000000000, must be 7200000000000'] });
    expect(longer[1]).toMatchObject({ stream: approvals, state: 'different' });
  });

  test('whatever could make it forget, or let something else in, is a difference', () => {
    const [wanted] = wantedStreams({ streams: STREAMS, replicas: 3, duplicateWindowMs: 1000 });
    if (wanted === undefined) throw new Error('there is no stream');
    expect(differences(wanted, wanted)).toEqual([]);
    const changes = [
      { max_msgs: 1 },
      { max_age: 1 },
      { max_bytes: 1 },
      { max_msgs_per_subject: 1 },
      { discard: 'old' },
      { storage: 'memory' },
      { deny_delete: false },
      { deny_purge: false },
      { allow_rollup_hdrs: true },
      { num_replicas: 1 },
      { subjects: ['audit.*', 'x'] },
      { sources: [{ name: 'x' }] },
      { mirror: { name: 'x' } },
      { republish: { src: '>', dest: 'x' } },
      { subject_transform: { src: 'a', dest: 'b' } },
      { allow_msg_ttl: true },
      { persist_mode: 'async' },
      { retention: 'workqueue' },
      { sealed: true },
      { no_ack: true },
    ]; // prettier-ignore
    for (const change of changes) expect(differences(wanted, { ...wanted, ...change } as never)).toHaveLength(1);
  });

  test('somebody changes a stream: an alarm in the journal, at once, and its end when it is changed back', async () => {
    const { dir, [Symbol.dispose]: gone } = memoryDir();
    const journal = await testJournal(dir);
    await using link = nats.link(engine);
    const alarms = new Alarms(journal, silentLog);
    const watch = watchStreams(link, (stream, wrong) =>
      wrong === null ? alarms.clear('drift', stream, 'mended') : alarms.raise('drift', stream, wrong),
    );
    onTestFinished(async () => {
      await watch.close();
      await journal.close('test');
      gone();
    });
    const operated = await as(operator);
    const [wanted] = wantedStreams({ streams: STREAMS, replicas: 1, duplicateWindowMs: 3_600_000 });
    const change = (more: object): Promise<Msg | string> => ask(operated, `$JS.API.STREAM.UPDATE.${audit}`, JSON.stringify({ ...wanted, ...more }));
    expect(numberIn(await change({ max_msgs: 1 }))).toBe(0);
    await until(() => alarms.open.length === 1, 1_500, 'the alarm, told by the server');
    expect(alarms.open).toMatchObject([{ code: 'drift', of: audit, detail: 'max_msgs is 1, must be -1' }]);
    expect(numberIn(await change({}))).toBe(0);
    await until(() => alarms.open.length === 0, 5_000, 'the end of the alarm');
    const told: unknown[] = [];
    for await (const event of journal.events()) if (event.type === 'archive.alarm') told.push([event.code, event.open, event.of]);
    expect(told).toEqual([
      ['drift', true, audit],
      ['drift', false, audit],
    ]);
  });

  test('bytes of somebody else on a journal’s subject are an alarm, and are not taken for the journal’s', async () => {
    const { dir, [Symbol.dispose]: gone } = memoryDir();
    const journal = await testJournal(dir);
    const operated = await as(operator);
    expect(numberIn(await ask(operated, `audit.${journal.id}`, 'not a run'))).toBe(0);
    await using link = nats.link({ ...engine, ...operator });
    const { forwarder, alarms } = forward(journal, link);
    onTestFinished(async () => {
      await forwarder.close();
      await journal.close('test');
      gone();
    });
    await journal.durable(fill(journal, 10));
    await until(() => alarms.open.length > 0, 5_000, 'the alarm');
    expect(alarms.open).toMatchObject([{ code: 'conflict', of: journal.id }]);
    await expect(new AuditStream(link).last(journal.id)).rejects.toMatchObject({ code: 'ARCHIVE_CONFLICT' });
  });

  test('a reply subject is no way out of the own account: not into another journal, nor into approvals, nor into another’s inbox', async () => {
    const own = await as(enforcer);
    await ask(own, `audit.${OWN}`, 'mine');
    const before = await ask(await as(operator), `$JS.API.STREAM.INFO.${audit}`, '');
    own.publish(`$JS.API.DIRECT.GET.${audit}.audit.${OWN}`, '', { reply: `audit.${OTHER}` });
    own.publish(`audit.${OWN}`, 'x', { reply: `audit.${OTHER}` });
    own.publish(`audit.${OWN}`, 'x', { reply: 'approvals.apr_1' });
    const inbox = (await as(neighbour)).subscribe(`${inboxOf(neighbour.publicKey)}.guessed`);
    own.publish(`audit.${OWN}`, 'x', { reply: `${inboxOf(neighbour.publicKey)}.guessed` });
    await own.flush();
    await ask(own, `audit.${OWN}`, 'y');
    const after = await ask(await as(operator), `$JS.API.STREAM.INFO.${audit}`, '');
    const messages = (info: Msg | string): number => (typeof info === 'string' ? -1 : info.json<{ state: { messages: number } }>().state.messages);
    expect(messages(after) - messages(before)).toBe(4);
    expect(inbox.getReceived()).toBe(0);
    const approved = await ask(await as(operator), `$JS.API.STREAM.INFO.${approvals}`, '');
    expect(messages(approved)).toBe(0);
  });
});
