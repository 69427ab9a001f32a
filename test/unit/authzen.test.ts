/** AuthZEN's parts that a whole gateway cannot be made to show: what is forgotten when, what is read how, and sessions of the record. I9. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Ids } from '#client/ids';
import type { Principal } from '#client/identity';
import { canonical } from '#engine/api/authzen/canonical';
import { covers, Denials } from '#engine/api/authzen/denials';
import { AUTHZEN_LIMITS, REQUESTABLE_MS, SUBMISSION_MS } from '#engine/api/authzen/limits';
import { OutsideSessions } from '#engine/api/authzen/outside-sessions';
import { type Question, readQuestion } from '#engine/api/authzen/question';
import { Submissions } from '#engine/api/authzen/submissions';
import { checkFor, enforcementPoint, subjectOf } from '#engine/api/authzen/who';
import { subject } from '#test/support/approvals';
import { FakeClock } from '#test/support/fake-clock';
import { MemoryJournal } from '#test/support/memory-journal';

const asked = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  subject: { type: 'user', id: 'ana' },
  action: { name: 'pay' },
  resource: { type: 'payout', id: 'p-1' },
  ...more,
});
const question = (more: Record<string, unknown> = {}): Question => readQuestion(asked(more));

describe('denials that may be requested', () => {
  test('are forgotten after ten minutes by the clock, and beyond a number the oldest first', () => {
    const clock = new FakeClock();
    const denials = new Denials(clock);
    denials.add('evt_1', 'point', question());
    const found = denials.find('evt_1');
    if (found === null) throw new Error('not there');
    clock.pass(REQUESTABLE_MS);
    expect(denials.isPast(found)).toBe(false);
    clock.pass(1);
    expect(denials.isPast(found)).toBe(true);
    for (let at = 0; at < AUTHZEN_LIMITS.denials; at++) denials.add(`evt_x${at}`, 'point', question());
    expect(denials.find('evt_1')).toBeNull();
    expect(denials.find('evt_x0')).not.toBeNull();
  });

  test('cover the same question, with more said about it, and no other', () => {
    const denial = new Denials(new FakeClock()).add('evt_1', 'point', question({ context: { time: 'now', ticket: { id: 7 } } }));
    expect(covers(denial, question({ context: { ticket: { id: 7 }, why: 'quarter end' } }))).toBe(true);
    for (const other of [
      question(),
      question({ context: { ticket: { id: 8 } } }),
      question({ context: { ticket: { id: 7 } }, subject: { type: 'user', id: 'ben' } }),
      question({ context: { ticket: { id: 7 } }, subject: { type: 'user', id: 'ana', properties: { role: 'admin' } } }),
      question({ context: { ticket: { id: 7 } }, action: { name: 'pay', properties: { fast: true } } }),
      question({ context: { ticket: { id: 7 } }, resource: { type: 'payout', id: 'p-2' } }),
    ])
      expect(covers(denial, other)).toBe(false);
  });
});

test('a submission is remembered for a day, by enforcement point and key', () => {
  const clock = new FakeClock();
  const submissions = new Submissions(clock);
  submissions.add('a', 'key', 'body', 'apr_1');
  expect(submissions.find('a', 'key', 'body')).toEqual({ approvalId: 'apr_1', same: true });
  expect(submissions.find('a', 'key', 'other')).toEqual({ approvalId: 'apr_1', same: false });
  expect(submissions.find('b', 'key', 'body')).toBeNull();
  clock.pass(SUBMISSION_MS + 1);
  expect(submissions.find('a', 'key', 'body')).toBeNull();
});

describe('sessions of the record', () => {
  const resource = { type: 'postgresql', id: 'shop', properties: { env: 'test', labels: {} } } as const;
  const client = { address: '', application: '', tls: true };
  const open = (): { clock: FakeClock; journal: MemoryJournal; sessions: OutsideSessions } => {
    const clock = new FakeClock();
    const journal = new MemoryJournal(clock);
    const judge = { revision: '', dryRun: () => Promise.reject(new Error('not asked')), access: () => ({}) as never };
    return { clock, journal, sessions: new OutsideSessions({ journal, ids: new Ids(clock), judge }, clock) };
  };
  const typesOf = async (journal: MemoryJournal): Promise<readonly string[]> => {
    await journal.durable(journal.append({ type: 'journal.closed', reason: 'looked at' }));
    return journal.disk.events.map(({ type }) => type).slice(0, -1);
  };

  test('one for each enforcement point, subject and target; each ends when nothing was asked for a while', async () => {
    const { clock, journal, sessions } = open();
    const enter = (point: string, login: string): string =>
      sessions.enter(
        { point, subject: subject(login), resource: { ...resource, properties: { ...resource.properties, labels: {} } }, client },
        'sha256:0',
        10,
      );
    const first = enter('a', 'ana');
    expect(enter('a', 'ana')).toBe(first);
    expect(new Set([first, enter('a', 'ben'), enter('b', 'ana')]).size).toBe(3);
    clock.pass(AUTHZEN_LIMITS.sessionIdleMs - 1);
    enter('a', 'ana');
    clock.pass(2);
    sessions.sweep();
    expect(enter('a', 'ana')).toBe(first);
    sessions.closeAll();
    expect(await typesOf(journal)).toEqual([
      ...Array.from({ length: 3 }, () => 'session.opened'),
      ...Array.from({ length: 3 }, () => 'session.closed'),
    ]);
  });

  test('so many and no more: the one that was not used for longest ends', async () => {
    const { journal, sessions } = open();
    for (let at = 0; at <= AUTHZEN_LIMITS.sessions; at++)
      sessions.enter({ point: `p${at}`, subject: subject('ana'), resource, client }, 'sha256:0', 1);
    expect((await typesOf(journal)).filter((type) => type === 'session.closed')).toHaveLength(1);
  });
});

describe('who asks', () => {
  const principal = (type: 'user' | 'service' | 'agent', groups: string[] = []): Principal => ({
    subject: { ...subject('ana', groups), type },
    scopes: ['connect'],
    issuedAtMs: 0,
    expiresAtMs: 1,
  });
  const other = { type: 'user', id: 'ben', properties: { login: 'ben', groups: ['owners'] } };

  test.each<[string, Principal, readonly string[] | null, boolean]>([
    ['a service, where nobody is named', principal('service'), null, true],
    ['a service of a group that is named', principal('service', ['pep']), ['pep'], true],
    ['a service of another group', principal('service', ['x']), ['pep'], false],
    ['a service, where the list is empty', principal('service', ['pep']), [], false],
    ['a human of the group', principal('user', ['pep']), ['pep'], false],
    ['an agent of the group', principal('agent', ['pep']), ['pep'], false],
  ])('%s', (_what, who, evaluators, may) => {
    const point = enforcementPoint(who, evaluators);
    if (may) expect(subjectOf(point, other)).toMatchObject({ id: 'ben', properties: { groups: ['owners'] } });
    else expect(() => checkFor(point, other)).toThrow('asks for itself alone');
    expect(() => checkFor(point, { ...other, id: 'ana' })).not.toThrow();
  });

  test.each(['a b', 'ana\u202E', '', '\u200Bana', 'x\ny'])('%j is no name', (login) => {
    const point = enforcementPoint(principal('service'), null);
    expect(() => subjectOf(point, { ...other, properties: { login } })).toThrow('is not a name');
  });
});

test('a question that is read is one, or a 400: nothing else comes out, whatever is sent', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), fc.jsonValue(), (given, context, statement) => {
      for (const body of [given, asked({ context }), asked({ context: { statement } }), Object.assign({}, given, asked())]) {
        try {
          expect(readQuestion(body).subject.id).not.toBe('');
        } catch (error) {
          expect(error).toMatchObject({ code: 'USAGE' });
        }
      }
    }),
  );
});

test('equal values have one text, whatever the order of their members, and others another', () => {
  expect(canonical({ b: [1, { d: null, c: 'x' }], a: true })).toBe(canonical({ a: true, b: [1, { c: 'x', d: null }] }));
  expect(canonical({ a: '1' })).not.toBe(canonical({ a: 1 }));
  expect(canonical([1, 2])).not.toBe(canonical([2, 1]));
});
