/** Judging where the engine is (`judging: remote`): the same answers, over a real channel; any trouble is a refusal by name (E6). */
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { systemClock } from '#client/clock';
import type { DecisionService, DecisionSession, Moment, SessionScope, Statement } from '#client/decision-service';
import { Ids } from '#client/ids';
import { silentLog } from '#client/log';
import { Breaker } from '#engine/apart/breaker';
import { Deadline } from '#engine/apart/deadline';
import { Placement } from '#engine/apart/placement';
import { openRemoteDecisions, type RemoteDecisionService } from '#engine/apart/remote-decisions';
import { serveDecisions, type ServeDecisionsOptions } from '#engine/apart/serve-decisions';
import type { CallHandler, Channel, Handlers } from '#engine/channel/parts';
import { openDecisionService } from '#engine/decide/service';
import { PostgresFacts } from '#engine/facts/postgres/reader';
import type { Catalog } from '#schemas/catalog';
import type { Param } from '#schemas/sql-facts';
import { tool } from '#tools/tools';
import { channelPair, makeChannelAuthority, LOOPBACK, PARTS, type Pair } from '#test/support/channel';
import { PACK5 } from '#test/support/decide';
import { FakeDecisions, type Rule } from '#test/support/fake-decisions';
import { stopwatch } from '#test/support/stopwatch';
import { openListener } from '#engine/channel/listener';
import { openDialer } from '#engine/channel/dialer';

const scope = (over: Partial<SessionScope> = {}): SessionScope => ({
  sessionId: 'ses_1',
  supportedObligations: ['mask'],
  client: { address: '127.0.0.1', application: 'test', tls: false },
  subject: { type: 'user', id: 'test|ann', properties: { login: 'ann', groups: ['app'] } },
  resource: { type: 'postgresql', id: 'shop', properties: { env: 'test', labels: {}, database: 'shop', server_version: '15' } },
  ...over,
});
const SETTINGS = { search_path: 'public' };
const moment = (over: Partial<Moment> = {}): Moment => ({
  action: 'sql.execute',
  statementId: 'stm_1',
  transaction: 'idle',
  settings: SETTINGS,
  params: null,
  ...over,
});
const param = (value: string): Param => ({ index: 1, type: 'text', value, encoding: 'text', flows_to_code: false });
const SELECT = Buffer.from('SELECT id FROM orders');

interface Bed extends AsyncDisposable {
  readonly pair: Pair;
  readonly remote: RemoteDecisionService;
  /** How often each method was called. */
  readonly calls: Map<string, number>;
}

/** @param spoil puts a handler of the test in place of one of ours */
async function bed(
  decisions: DecisionService,
  options: Partial<ServeDecisionsOptions> = {},
  spoil: (handlers: Required<Handlers>) => Handlers = (handlers) => handlers,
): Promise<Bed> {
  const calls = new Map<string, number>();
  const { calls: served = {}, streams = {} } = spoil(serveDecisions({ decisions, clock: systemClock, ...options }));
  const counted = Object.entries(served).map(([name, handler]): [string, CallHandler] => [
    name,
    (payload, context) => {
      calls.set(name, (calls.get(name) ?? 0) + 1);
      return handler(payload, context);
    },
  ]);
  const pair = await channelPair({ listener: { handlers: { calls: Object.fromEntries(counted), streams } } });
  const remote = openRemoteDecisions({ engines: pair.dialer, clock: systemClock, log: silentLog });
  const dispose = async (): Promise<void> => {
    remote.close();
    await pair[Symbol.asyncDispose]();
  };
  return { pair, remote, calls, [Symbol.asyncDispose]: dispose };
}

async function fakeBed(rule?: Rule, options: Partial<ServeDecisionsOptions> = {}): Promise<Bed & { readonly fake: FakeDecisions }> {
  const fake = await FakeDecisions.open(15, rule);
  return Object.assign(await bed(fake, options), { fake });
}

/** The fake's, but policies read no parameters until they are said to. */
function paramless(fake: FakeDecisions, reads: { params: boolean }): DecisionService {
  return {
    get revision() {
      return fake.revision;
    },
    masksPossible: false,
    learn: () => {},
    openSession: (opened) => {
      const session = fake.openSession(opened) as DecisionSession;
      return {
        opening: session.opening,
        read: (text, settings) =>
          Object.defineProperty({ ...(session.read(text, settings) as Statement) }, 'readsParams', { get: () => reads.params, enumerable: true }),
        decide: (statement, at) => {
          if (statement.readsParams) at.params?.();
          return session.decide(statement, at);
        },
        close: () => session.close(),
      };
    },
  };
}

describe('a session that the engine judges', () => {
  test('is opened there; a text is read once and then decided by its number; the same judgement is the same object', async () => {
    await using place = await fakeBed();
    const session = await place.remote.openSession(scope());
    expect(session.opening).toMatchObject({ effect: 'allow', revision: place.fake.revision });
    expect(place.fake.scopes).toEqual([scope()]);
    const statement = await session.read(SELECT, SETTINGS);
    expect(await session.read(Buffer.from(SELECT), SETTINGS)).toBe(statement);
    const [one, two] = [await session.decide(statement, moment()), await session.decide(statement, moment({ statementId: 'stm_2' }))];
    expect(place.calls.get('decisions.read')).toBe(1);
    expect(two.judgement).toBe(one.judgement);
    expect(two.decision.decision_id).not.toBe(one.decision.decision_id);
    expect(place.fake.moments).toEqual([moment(), moment({ statementId: 'stm_2' })]);
    expect(place.fake.moments[0]?.settings).toBe(place.fake.moments[1]?.settings);
    const another = await session.read(Buffer.from('SELECT 2'), SETTINGS);
    expect((await session.decide(another, moment())).judgement).toBe(one.judgement);
  });

  test('has the facts, decisions and judgements that it would have here', async () => {
    const facts = new PostgresFacts({ majors: [15] });
    const masks = { rewrite: (text: Uint8Array) => ({ ok: true as const, rewrite: { text, masked: [], toOriginal: (offset: number) => offset } }) };
    const local = await openDecisionService({
      policies: { dir: PACK5, data: [], watch: false, maxAgeMs: 86_400_000 },
      facts,
      masks,
      clock: systemClock,
      ids: new Ids(systemClock),
      log: silentLog,
      record: () => {},
      opa: () => tool('opa'),
    });
    await using place = await bed(local);
    const there = await place.remote.openSession(scope());
    const here = local.openSession(scope());
    expect(place.remote.revision).toBe(local.revision);
    expect(place.remote.masksPossible).toBe(local.masksPossible);
    for (const text of [
      'SELECT id FROM orders',
      'DELETE FROM payments',
      'SELEC',
      '',
      'SELECT \0',
      `SELECT '${'x'.repeat(9_000)}'`,
      'DROP TABLE customers; SELECT 1',
    ]) {
      const [ours, theirs] = [await here.read(Buffer.from(text), SETTINGS), await there.read(Buffer.from(text), SETTINGS)];
      // as the wire and the record have them: what this process remembers of facts stands on them, too
      expect(JSON.parse(JSON.stringify(theirs.facts))).toEqual(JSON.parse(JSON.stringify(ours.facts)));
      for (const action of ['sql.prepare', 'sql.execute'] as const) {
        const [mine, other] = [await here.decide(ours, moment({ action })), await there.decide(theirs, moment({ action }))];
        expect(other.judgement).toEqual(mine.judgement);
        expect(other.rewrite).toEqual(mine.rewrite);
        const { decision_id: _, binding, ...rest } = other.decision;
        const { decision_id: __, binding: bound, ...local_ } = mine.decision;
        expect(rest).toEqual(local_);
        expect([binding.payload, binding.context]).toEqual([bound.payload, bound.context]);
        const expiresIn = Date.parse(binding.expires_at) - Date.now();
        expect(expiresIn).toBeGreaterThan(3_000);
        expect(expiresIn).toBeLessThanOrEqual(5_000);
      }
    }
    local.close();
    await facts.close();
  });

  test('sends parameters only where policy reads them, also when that changes', async () => {
    const fake = await FakeDecisions.open(15);
    const reads = { params: false };
    await using place = await bed(paramless(fake, reads));
    const session = await place.remote.openSession(scope());
    const statement = await session.read(SELECT, SETTINGS);
    const params = vi.fn(() => [param('secret')]);
    await session.decide(statement, moment({ params }));
    expect([params.mock.calls.length, statement.readsParams]).toEqual([0, false]);
    reads.params = true;
    await session.decide(statement, moment({ params }));
    expect([params.mock.calls.length, statement.readsParams, place.calls.get('decisions.decide')]).toEqual([1, true, 3]);
    expect(fake.moments.at(-1)?.params?.()).toEqual([param('secret')]);
    await session.decide(statement, moment({ params }));
    expect(place.calls.get('decisions.decide')).toBe(4);
    reads.params = false;
    await session.decide(statement, moment({ params }));
    await session.decide(statement, moment({ params }));
    expect([params.mock.calls.length, statement.readsParams]).toEqual([3, false]);
  });

  test('gets rewritten texts with their map, each once, as one object', async () => {
    const rewritten = Buffer.from('SELECT (NULL) FROM customers');
    const toOriginal = (offset: number): number | null => (offset < 7 ? offset : offset < 13 ? null : offset - 2);
    const rewrite = { text: rewritten, masked: ['public.customers.ssn'], toOriginal };
    await using place = await fakeBed(() => ({ effect: 'mask', rewrite }));
    const session = await place.remote.openSession(scope());
    const statement = await session.read(Buffer.from('SELECT ssn FROM customers'), SETTINGS);
    const first = await session.decide(statement, moment());
    expect(Buffer.from(first.rewrite?.text ?? []).toString()).toBe(String(rewritten));
    expect(first.decision.rewrite?.masked).toEqual(['public.customers.ssn']);
    for (let offset = -1; offset <= rewritten.length + 1; offset++) {
      const expected = offset < 0 || offset > rewritten.length ? null : toOriginal(offset);
      expect(first.rewrite?.toOriginal(offset)).toBe(expected);
    }
    const second = await session.decide(statement, moment({ action: 'sql.prepare' }));
    expect(second.rewrite).toBe(first.rewrite);
  });

  test('tells approvals, transaction and settings as they are', async () => {
    await using place = await fakeBed();
    const session = await place.remote.openSession(scope());
    const statement = await session.read(SELECT, SETTINGS);
    const approval = { valid: true as const, id: 'apr_1', approved_by: ['bob'], requirement: `sha256:${'b'.repeat(64)}` };
    const asked = [
      moment({ approval, transaction: 'fresh' }),
      moment({ action: 'sql.prepare', transaction: 'failed' }),
      moment({ settings: { search_path: 'other', role: 'ä' }, transaction: 'open' }),
    ];
    for (const one of asked) await session.decide(statement, one);
    expect(place.fake.moments).toEqual(asked);
  });

  test('more settings and texts than the engine keeps are told again, and nobody notices', async () => {
    await using place = await fakeBed(undefined, { limits: { settingsPerSession: 4, statementsPerSession: 3 } });
    const session = await place.remote.openSession(scope());
    const statements = [];
    for (let index = 0; index < 8; index++) statements.push(await session.read(Buffer.from(`SELECT ${index}`), { search_path: `s${index}` }));
    for (let round = 0; round < 2; round++) {
      for (const [index, statement] of statements.entries()) {
        const settings = { search_path: `t${index}` };
        await session.decide(statement, moment({ settings }));
        expect([place.fake.texts.at(-1), place.fake.moments.at(-1)?.settings]).toEqual([`SELECT ${index}`, settings]);
      }
    }
  });

  test('is closed there when it is closed here, and with the connection', async () => {
    const fake = await FakeDecisions.open(15);
    const closed: string[] = [];
    const service: DecisionService = {
      revision: fake.revision,
      masksPossible: false,
      learn: () => {},
      openSession: (opened) => ({ ...(fake.openSession(opened) as DecisionSession), close: () => closed.push(opened.sessionId) }),
    };
    await using place = await bed(service);
    const session = await place.remote.openSession(scope());
    await place.remote.openSession(scope({ sessionId: 'ses_2' }));
    session.close();
    await vi.waitFor(() => expect(closed).toEqual(['ses_1']));
    await expect((async () => session.read(SELECT, SETTINGS))()).rejects.toMatchObject({ code: 'CANCELLED' });
    await place.pair.dialer.close();
    await vi.waitFor(() => expect(closed).toEqual(['ses_1', 'ses_2']));
  });
});

describe('what the enforcer must know', () => {
  test('the revision in force and whether masks are possible follow the engine', async () => {
    await using place = await fakeBed();
    expect(place.remote.masksPossible).toBe(true);
    await place.remote.openSession(scope());
    expect([place.remote.revision, place.remote.masksPossible]).toEqual([place.fake.revision, false]);
    place.fake.revision = `sha256:${'c'.repeat(64)}`;
    place.fake.masksPossible = true;
    await vi.waitFor(() => expect([place.remote.revision, place.remote.masksPossible]).toEqual([place.fake.revision, true]));
  });

  test('a catalog reaches the engine before the next text is read, once', async () => {
    await using place = await fakeBed();
    const session = await place.remote.openSession(scope());
    const before = await session.read(SELECT, SETTINGS);
    const catalog: Catalog = { database: 'shop', serverMajor: 15, fingerprint: 'f1', relations: [], cluster: 'x'.repeat(200_000) };
    place.remote.learn('shop', catalog);
    const after = await session.read(SELECT, SETTINGS);
    expect(place.fake.learned).toEqual([catalog]);
    expect(after).not.toBe(before);
    place.remote.learn('shop', { ...catalog });
    await session.read(SELECT, SETTINGS);
    expect(place.fake.learned).toHaveLength(1);
  });
});

describe('what takes its time', () => {
  test('a catalog that is learned slowly is waited for beside the deadline of the question', async () => {
    const fake = await FakeDecisions.open(15);
    const slowly = (handlers: Required<Handlers>): Handlers => {
      const honest = handlers.calls['decisions.learn'] as CallHandler;
      const learn: CallHandler = async (payload, context) => {
        const copy = Uint8Array.from(payload);
        await new Promise((resolve) => setTimeout(resolve, 350));
        return honest(copy, context);
      };
      return { ...handlers, calls: { ...handlers.calls, 'decisions.learn': learn } };
    };
    await using place = await bed(fake, {}, slowly);
    const session = await place.remote.openSession(scope());
    place.remote.learn('shop', { database: 'shop', serverMajor: 15, fingerprint: 'f1', relations: [] });
    const started = performance.now();
    const statement = await session.read(SELECT, SETTINGS);
    expect(performance.now() - started).toBeGreaterThan(600);
    expect(fake.learned).toHaveLength(1);
    await session.decide(statement, moment());
  });

  test('a session that is closed while it is opened does not stay open at the engine', async () => {
    const fake = await FakeDecisions.open(15);
    const closed: string[] = [];
    const gate = Promise.withResolvers<void>();
    const service: DecisionService = {
      revision: fake.revision,
      masksPossible: false,
      learn: () => {},
      openSession: async (opened) => {
        if (opened.sessionId === 'ses_late') await gate.promise;
        return { ...(fake.openSession(opened) as DecisionSession), close: () => closed.push(opened.sessionId) };
      },
    };
    await using place = await bed(service);
    await place.remote.openSession(scope());
    const placement = new Placement(place.remote, scope({ sessionId: 'ses_late' }));
    const opening = placement.placed(new Deadline(systemClock, 5_000));
    await vi.waitFor(() => expect(place.calls.get('decisions.open')).toBe(2));
    placement.close();
    gate.resolve();
    await opening;
    await vi.waitFor(() => expect(closed).toEqual(['ses_late']));
    await expect(placement.placed(new Deadline(systemClock, 5_000))).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

describe('E6: what an enforcer may not', () => {
  test('another target than those of its certificate: neither judged nor learned', async () => {
    await using place = await fakeBed();
    const crm = scope({ resource: { ...scope().resource, id: 'crm' } });
    await expect(place.remote.openSession(crm)).rejects.toMatchObject({ code: 'TARGET_NOT_GRANTED' });
    const head = Buffer.from(JSON.stringify({ target: 'crm', database: 'shop', fingerprint: 'f' }));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(head.length);
    const learning = place.pair.here.call('decisions.learn', Buffer.concat([length, head]), { deadlineMs: 5_000 });
    await expect(learning).rejects.toMatchObject({ code: 'TARGET_NOT_GRANTED' });
    expect(place.fake.scopes).toEqual([]);
  });

  test('the sessions and statements of another connection, or of another session', async () => {
    await using place = await fakeBed();
    const one = await place.remote.openSession(scope());
    const statement = await one.read(SELECT, SETTINGS);
    await one.decide(statement, moment());
    const authority = place.pair.authority;
    const identity = await authority.issue({ name: 'shop-2', kind: 'enforcer', targets: ['shop'] });
    const dialer = openDialer({ ...PARTS, engines: [`127.0.0.1:${place.pair.listener.address.port}`], tls: () => identity });
    const other = await dialer.ready(5_000);
    const question = Buffer.alloc(28 + 1);
    question.writeUInt32BE(1, 0);
    question.writeUInt32BE(1, 4);
    question[24] = 1;
    question[27] = 1;
    expect([...(await other.call('decisions.decide', question, { deadlineMs: 5_000 }))]).toEqual([3]);
    await place.remote.openSession(scope({ sessionId: 'ses_2' }));
    question.writeUInt32BE(2, 0);
    expect([...(await place.pair.here.call('decisions.decide', question, { deadlineMs: 5_000 }))]).toEqual([2]);
    expect(place.fake.moments).toHaveLength(1);
    await dialer.close();
  });

  test('more catalogs than are let, and a session that is described at length', async () => {
    await using place = await fakeBed(undefined, { limits: { catalogs: 1, scopeBytes: 2_000 } });
    const session = await place.remote.openSession(scope());
    place.remote.learn('shop', { database: 'a', serverMajor: 15, fingerprint: 'f', relations: [] });
    await session.read(SELECT, SETTINGS);
    place.remote.learn('shop', { database: 'b', serverMajor: 15, fingerprint: 'f', relations: [] });
    await expect((async () => session.read(SELECT, SETTINGS))()).rejects.toMatchObject({ code: 'CHANNEL_BUSY' });
    const labels = { long: 'x'.repeat(2_000) };
    const described = scope({ resource: { ...scope().resource, properties: { ...scope().resource.properties, labels } } });
    await expect(place.remote.openSession(described)).rejects.toMatchObject({ code: 'CHANNEL_PROTOCOL' });
  });

  test('more sessions than are let', async () => {
    await using place = await fakeBed(undefined, { limits: { sessionsPerConnection: 2 } });
    await Promise.all([place.remote.openSession(scope()), place.remote.openSession(scope())]);
    await expect(place.remote.openSession(scope())).rejects.toMatchObject({ code: 'CHANNEL_BUSY' });
  });

  test('garbage: every method refuses it by name, and goes on', async () => {
    await using place = await fakeBed();
    await place.remote.openSession(scope());
    const methods = ['open', 'close', 'read', 'decide', 'learn'].map((name) => `decisions.${name}`);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...methods), fc.uint8Array({ maxLength: 80 }), fc.boolean(), async (method, garbage, addressed) => {
        const payload = Buffer.concat([addressed ? Buffer.from([0, 0, 0, 2, 0, 0, 0, 1]) : Buffer.alloc(0), garbage]);
        const outcome = await place.pair.here.call(method, payload, { deadlineMs: 5_000 }).catch((error: unknown) => error);
        if (outcome instanceof Error) expect(outcome).toMatchObject({ code: expect.stringMatching(/^CHANNEL_PROTOCOL$/) });
      }),
      { numRuns: 300 },
    );
    expect(place.pair.here.ended).toBeNull();
  });
});

describe('E6: an engine that errs is not believed', () => {
  const altered = (method: string, alter: (answer: Buffer) => Uint8Array | Promise<Uint8Array>) => (handlers: Required<Handlers>) => {
    const honest = handlers.calls[method] as CallHandler;
    return {
      ...handlers,
      calls: { ...handlers.calls, [method]: async (...asked: Parameters<CallHandler>) => alter(Buffer.from(await honest(...asked))) },
    };
  };

  test('it read another text', async () => {
    const spoil = altered('decisions.read', (answer) => answer.fill(7, 5, 37));
    await using place = await bed(await FakeDecisions.open(15), {}, spoil);
    const session = await place.remote.openSession(scope());
    await expect((async () => session.read(SELECT, SETTINGS))()).rejects.toMatchObject({ code: 'ANSWER_REFUSED' });
  });

  test('its answer refers to a judgement that it never told, is cut, too long, or empty', async () => {
    const alterations: ((answer: Buffer) => Uint8Array)[] = [
      (answer) => {
        answer[1] = 0;
        return answer.subarray(0, 55 + (answer[54] as number));
      },
      (answer) => answer.subarray(0, 30),
      (answer) => answer.subarray(0, answer.length - 1),
      (answer) => Buffer.concat([answer, Buffer.from('x')]),
      () => Buffer.alloc(0),
      () => Buffer.from([9]),
    ];
    for (const alteration of alterations) {
      await using place = await bed(await FakeDecisions.open(15), {}, altered('decisions.decide', alteration));
      const session = await place.remote.openSession(scope());
      const statement = await session.read(SELECT, SETTINGS);
      await expect(session.decide(statement, moment())).rejects.toMatchObject({ code: expect.stringMatching(/ANSWER_REFUSED|CHANNEL_PROTOCOL/) });
    }
  });

  test('it decided on other bytes than it read', async () => {
    const fake = await FakeDecisions.open(15);
    const service: DecisionService = {
      revision: fake.revision,
      masksPossible: false,
      learn: () => {},
      openSession: (opened) => {
        const session = fake.openSession(opened) as DecisionSession;
        return { ...session, decide: (_, at) => session.decide(session.read(Buffer.from('SELECT 2'), SETTINGS) as Statement, at) };
      },
    };
    await using place = await bed(service);
    const session = await place.remote.openSession(scope());
    const statement = await session.read(SELECT, SETTINGS);
    await expect(session.decide(statement, moment())).rejects.toMatchObject({ code: 'INTERNAL' });
  });

  test('it does not answer: refused after half a second, with the cause', async () => {
    const never = (handlers: Required<Handlers>): Handlers => ({
      ...handlers,
      calls: { ...handlers.calls, 'decisions.decide': () => new Promise(() => {}) },
    });
    await using place = await bed(await FakeDecisions.open(15), {}, never);
    const session = await place.remote.openSession(scope());
    const statement = await session.read(SELECT, SETTINGS);
    const started = performance.now();
    using watch = stopwatch();
    await expect(session.decide(statement, moment())).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    expect(performance.now() - started).toBeGreaterThan(450);
    expect(watch.ms()).toBeLessThan(900);
  });
});

describe('E6: an engine that is late again and again', () => {
  test('is not waited for: everything is refused at once, until a question is answered again', async () => {
    let stuck = true;
    const stalling = (handlers: Required<Handlers>): Handlers => {
      const honest = handlers.calls['decisions.decide'] as CallHandler;
      return { ...handlers, calls: { ...handlers.calls, 'decisions.decide': (...asked) => (stuck ? new Promise(() => {}) : honest(...asked)) } };
    };
    await using place = await bed(await FakeDecisions.open(15), {}, stalling);
    const session = await place.remote.openSession(scope());
    const statement = await session.read(SELECT, SETTINGS);
    const refused = async (): Promise<number> => {
      const started = performance.now();
      await expect(session.decide(statement, moment())).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
      return performance.now() - started;
    };
    expect(Math.min(...(await Promise.all(Array.from({ length: 8 }, refused))))).toBeGreaterThan(450);
    using watch = stopwatch();
    await refused();
    expect(watch.ms()).toBeLessThan(100);
    const asked = place.calls.get('decisions.decide');
    await Promise.all(Array.from({ length: 20 }, refused));
    expect(place.calls.get('decisions.decide')).toBe(asked);
    stuck = false;
    await vi.waitFor(async () => expect((await session.decide(statement, moment())).decision.effect).toBe('allow'), { timeout: 5_000, interval: 50 });
    expect(place.calls.get('decisions.decide')).toBe((asked ?? 0) + 1);
  });

  test('the breaker lets one at a time try, and closes when it is answered', () => {
    const breaker = new Breaker({ lateInARow: 2, openMs: 1_000 });
    breaker.late(0);
    expect([breaker.closed, breaker.lets(1)]).toEqual([false, true]);
    breaker.late(2);
    expect([breaker.lets(3), breaker.lets(1_000_001), breaker.lets(1_000_003), breaker.lets(1_000_004)]).toEqual([false, false, true, false]);
    breaker.late(1_500_000);
    expect([breaker.lets(1_600_000), breaker.lets(2_500_001)]).toEqual([false, true]);
    breaker.answered();
    expect([breaker.closed, breaker.lets(2_500_002)]).toEqual([true, true]);
  });
});

describe('I6: the engine is lost', () => {
  test('what waits is refused within a second, and so is everything until one is there; then the session goes on', async () => {
    await using place = await fakeBed();
    const session = await place.remote.openSession(scope());
    const statement = await session.read(SELECT, SETTINGS);
    const first = await session.decide(statement, moment());
    const { port } = place.pair.listener.address;
    await place.pair.listener.close();
    await vi.waitFor(() => expect(place.pair.dialer.channel).toBeNull());
    using watch = stopwatch();
    await expect(session.decide(statement, moment())).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    expect(watch.ms()).toBeLessThan(1_000);
    await vi.waitFor(
      async () => {
        using at = stopwatch();
        await expect(session.decide(statement, moment())).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
        expect(at.ms()).toBeLessThan(50);
      },
      { timeout: 3_000 },
    );
    await expect(place.remote.openSession(scope())).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    const engine = await place.pair.authority.issue({ name: 'engine-1', kind: 'engine' });
    const listener = await openListener({
      ...PARTS,
      listen: { host: '127.0.0.1', port },
      tls: () => engine,
      handlers: serveDecisions({ decisions: place.fake, clock: systemClock }),
    });
    await place.pair.dialer.ready(10_000);
    const again = await session.decide(statement, moment());
    expect(again.decision.binding.payload).toBe(first.decision.binding.payload);
    await listener.close();
  });

  test.each(['dies', 'drains'])(
    'another engine takes the sessions over in the middle of the work when one %s: no statement is refused',
    async (how) => {
      const authority = await makeChannelAuthority();
      const mine = await authority.issue({ name: 'shop-1', kind: 'enforcer', targets: ['shop'] });
      const fake = await FakeDecisions.open(15);
      const engines = await Promise.all(
        ['engine-1', 'engine-2'].map(async (name) => {
          const identity = await authority.issue({ name, kind: 'engine' });
          return openListener({ ...PARTS, listen: LOOPBACK, tls: () => identity, handlers: serveDecisions({ decisions: fake, clock: systemClock }) });
        }),
      );
      const dialer = openDialer({ ...PARTS, engines: engines.map(({ address }) => `127.0.0.1:${address.port}`), tls: () => mine, random: () => 0 });
      const remote = openRemoteDecisions({ engines: dialer, clock: systemClock, log: silentLog });
      remote.learn('shop', { database: 'shop', serverMajor: 15, fingerprint: 'f1', relations: [] });
      await dialer.ready(5_000);
      const sessions = await Promise.all(Array.from({ length: 8 }, (_, index) => remote.openSession(scope({ sessionId: `ses_${index}` }))));
      const seen = new Set<Channel | null>();
      let done = false;
      let decided = 0;
      const working = sessions.map(async (session) => {
        const statement = await session.read(SELECT, SETTINGS);
        while (!done) {
          await session.decide(statement, moment());
          seen.add(dialer.channel);
          decided++;
        }
      });
      await vi.waitFor(() => expect(decided).toBeGreaterThan(50));
      if (how === 'drains') {
        using watch = stopwatch();
        await engines[0]?.drain(20_000);
        expect(watch.ms()).toBeLessThan(5_000);
      }
      await engines[0]?.close();
      const before = decided;
      await vi.waitFor(() => expect([seen.size > 1, decided > before + 50]).toEqual([true, true]));
      done = true;
      await Promise.all(working);
      remote.close();
      await dialer.close();
      await engines[1]?.close();
    },
  );

  test('a statement that reads otherwise at another engine is stale: it was not what was prepared', async () => {
    await using place = await fakeBed(undefined, { limits: { statementsPerSession: 1 } });
    const session = await place.remote.openSession(scope());
    const statement = await session.read(SELECT, SETTINGS);
    await session.read(Buffer.from('SELECT 2'), SETTINGS);
    Object.assign(statement, { facts: { ...statement.facts, effects: [] } });
    await expect(session.decide(statement, moment())).rejects.toMatchObject({ code: 'PREPARED_STALE' });
  });
});
