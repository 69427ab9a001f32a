/** N6, M8: what search answers is what a reading of every event answers, for every reader, in every combination; and it is safe to show. */
import fc from 'fast-check';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Access, StatementQuery } from '#engine/journal/projection/projection';
import { QUERIES } from '#engine/journal/projection/queries';
import { openForReading } from '#engine/journal/projection/tables';
import { wordsAsked, wordsOf } from '#engine/journal/projection/terms';
import { makeJournal } from '#test/support/journal-maker';
import { decided, finished, cleared, intent, opened, received, text } from '#test/support/journal-events';
import { journalFolder } from '#test/support/journals';
import { caughtUp, fits, folder, maySee, told, type Folder, type Told } from '#test/support/projection';

const EVERYTHING: Access = { all: true };
const NEVER = Number.MAX_SAFE_INTEGER;
const PLAN = { seed: 11, sessions: 150, statements: 2_500, requests: 120, segmentBytes: 256 << 10, jumps: 0.004, days: 1 } as const;

let home: Folder;
let database: DatabaseSync;
let statements: readonly Told[];

beforeAll(async () => {
  home = folder();
  const journal = join(home.dir, 'journal');
  await makeJournal(journal, PLAN);
  await caughtUp(join(home.dir, 'projection.sqlite'), journal);
  database = openForReading(join(home.dir, 'projection.sqlite'));
  statements = await told(journal);
});
afterAll(() => {
  database?.close();
  home?.[Symbol.dispose]();
});

const some = <T>(of: (statement: Told) => T): fc.Arbitrary<T> =>
  fc.integer({ min: 0, max: PLAN.statements - 1 }).map((at) => of(statements[at] as Told));
/** Up to three conditions, nearly always with a value of some statement: so that something is found. */
const FILTERS = {
  session: some((one) => one.session),
  who: fc.oneof(
    some((one) => one.logins.at(-1) ?? ''),
    some((one) => (one.logins[0] ?? '').toUpperCase()),
    fc.constant('nobody'),
  ),
  target: some((one) => one.target),
  object: fc.oneof(
    some((one) => one.touched[0]?.qualified ?? ''),
    some((one) => one.touched[0]?.name.toUpperCase() ?? ''),
    fc.constant('none_such'),
  ),
  verb: fc.constantFrom('read', 'update', 'delete', 'insert', 'DELETE', 'drop'),
  effect: fc.constantFrom('allow', 'mask', 'deny', 'require_approval'),
  code: some((one) => one.codes[0] ?? ''),
  outcome: fc.constantFrom('ok', 'refused', 'held', 'error', 'running', 'aborted'),
  q: fc.oneof(fc.constantFrom('payments', 'update case*', 'public.payments', 'item*', 'SELECT count', '* !', 'delete'), some(wordOf)),
  since: some((one) => one.time),
  until: some((one) => one.time),
};
const query = (): fc.Arbitrary<Omit<StatementQuery, 'access' | 'limit'>> =>
  fc
    .tuple(fc.record(FILTERS), fc.subarray(Object.keys(FILTERS), { maxLength: 3 }))
    .map(([given, kept]) => Object.fromEntries(Object.entries(given).filter(([key]) => kept.includes(key))));

function wordOf(statement: Told): string {
  return [...wordsOf(statement.text ?? '')].at(-1) ?? 'x';
}

const access = (): fc.Arbitrary<Access> =>
  fc.oneof(
    fc.constant(EVERYTHING),
    fc.record({
      all: fc.constant(false as const),
      subjects: fc.array(
        some((one) => one.behalf ?? one.subject),
        { maxLength: 3 },
      ),
    }),
    fc.record({
      all: fc.constant(false as const),
      subjects: fc.array(
        some((one) => one.subject),
        { maxLength: 1 },
      ),
      asked: fc.record({
        groups: fc.subarray(['dba', 'owners', 'DBA']),
        users: fc.subarray(['olga', 'Olga', 'user-0']),
      }),
    }),
  );

/** All pages, one after another. */
function allPages(asked: StatementQuery): { readonly ids: readonly string[]; readonly total: number } {
  const ids: string[] = [];
  let cursor: string | undefined;
  for (;;) {
    const page = QUERIES.search(database, { ...asked, ...(cursor === undefined ? {} : { cursor }) }, NEVER);
    ids.push(...page.items.map(({ statement_id }) => statement_id));
    if (page.next === null) return { ids, total: page.total };
    cursor = page.next;
  }
}

describe('search', () => {
  it('N6: for any filters and any reader it finds what a reading of every event finds, newest first, page by page', () => {
    let found = 0;
    fc.assert(
      fc.property(query(), access(), fc.integer({ min: 1, max: 200 }), (filters, reader, limit) => {
        const expected = statements.filter((one) => maySee(one, reader) && fits(one, filters)).map(({ id }) => id);
        const { ids, total } = allPages({ ...filters, access: reader, limit: Math.max(limit, Math.ceil(expected.length / 13)) });
        expect(ids).toEqual(expected.reverse());
        expect(total).toBe(expected.length);
        found += ids.length;
      }),
      { numRuns: 300 },
    );
    expect(found).toBeGreaterThan(1_000);
  });

  it('N6: no reader gets a row, a session, a request or a position of another’s, by whatever name they ask for it', () => {
    fc.assert(
      fc.property(
        some((one) => one),
        some((one) => one.subject),
        (statement, subject) => {
          const reader: Access = { all: false, subjects: [subject] };
          fc.pre(!maySee(statement, reader));
          const { session: session_id } = statement;
          expect(QUERIES.search(database, { session: session_id, access: reader, limit: 200 }, NEVER)).toEqual({ items: [], next: null, total: 0 });
          expect(QUERIES.timeline(database, { session_id, access: reader, limit: 200 })).toEqual({ items: [], next: null, total: 0 });
          expect(QUERIES.session(database, { id: session_id, access: reader })).toBeNull();
          expect(QUERIES.rangeOf(database, { id: session_id, access: reader })).toBeNull();
          const sessions = QUERIES.sessions(database, { access: reader, limit: 200 }, NEVER).items.map((one) => one.session_id);
          expect(sessions).not.toContain(session_id);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('N6: of earlier requests a reader gets their own, and those that ask them', () => {
    const subjects = [...new Set(statements.map(({ subject }) => subject))];
    let [own, all] = [0, 0];
    for (const { approval } of statements) {
      if (approval === null) continue;
      const query = { approval_id: approval, limit: 200 };
      const asked: Access = { all: false, subjects: [], asked: { groups: ['dba'], users: [] } };
      const earlier = QUERIES.earlierLike(database, { ...query, access: EVERYTHING });
      expect(QUERIES.earlierLike(database, { ...query, access: asked })).toEqual(earlier);
      expect(QUERIES.earlierLike(database, { ...query, access: { ...asked, asked: { groups: ['support'], users: ['user-0'] } } })).toEqual([]);
      all += earlier.length;
      for (const subject of subjects) {
        const theirs = earlier.filter(({ login, on_behalf_of }) => [`iss|${login}`, `iss|${on_behalf_of}`].includes(subject));
        expect(QUERIES.earlierLike(database, { ...query, access: { all: false, subjects: [subject] } })).toEqual(theirs);
        own += theirs.length;
      }
    }
    expect(all).toBeGreaterThan(10);
    expect(own).toBeGreaterThanOrEqual(all);
  });

  it('a time is found in its block, also at the edges of blocks and where the clock was set back', () => {
    const found = (given: Partial<StatementQuery>): number => QUERIES.search(database, { access: EVERYTHING, limit: 1, ...given }, NEVER).total;
    for (const at of [0, 1, 1_021, 1_022, 1_023, 1_024, 2_045, 2_046, 2_047, 2_048, PLAN.statements - 1]) {
      const { time } = statements[at] as Told;
      expect(found({ since: time })).toBe(statements.filter((one) => one.time >= time).length);
      expect(found({ until: time })).toBe(statements.filter((one) => one.time < time).length);
    }
    expect(statements.some((one, at) => at > 0 && one.time < (statements[at - 1] as Told).time)).toBe(true);
  });

  it('N6: who is asked for a request sees its statement, and not the rest of the session', () => {
    const held = statements.find(({ approval }) => approval !== null) as Told;
    const reader: Access = { all: false, subjects: ['iss|olga'], asked: { groups: ['dba'], users: [] } };
    const seen = QUERIES.search(database, { session: held.session, access: reader, limit: 200 }, NEVER).items;
    expect(seen.map(({ statement_id }) => statement_id)).toContain(held.id);
    for (const { approval_id } of seen) expect(approval_id).toBeDefined();
    expect(QUERIES.session(database, { id: held.session, access: reader })).toBeNull();
  });

  it('a session’s statements come in their order, those before a request newest first', () => {
    const held = statements.findLast(({ approval }) => approval !== null) as Told;
    const own = statements.filter(({ session }) => session === held.session).map(({ id }) => id);
    const timeline = QUERIES.timeline(database, { session_id: held.session, access: EVERYTHING, limit: 200 });
    expect(timeline.items.map(({ statement_id }) => statement_id)).toEqual(own);
    const before = QUERIES.sessionSoFar(database, { session_id: held.session, before: held.id, limit: 50 });
    expect(before.map(({ statement_id }) => statement_id)).toEqual(own.slice(0, own.indexOf(held.id)).reverse().slice(0, 50));
  });

  it('earlier requests have the same shape and target, and were asked before', () => {
    const { approval } = statements.findLast((one) => one.approval !== null) as Told;
    const earlier = QUERIES.earlierLike(database, { approval_id: approval ?? '', limit: 10, access: EVERYTHING });
    const asked = statements.filter((one) => one.approval !== null);
    const [last] = asked.slice(-1);
    for (const { approval_id, target } of earlier) {
      const one = asked.find((statement) => statement.approval === approval_id) as Told;
      expect(target).toBe(last?.target);
      expect(one.touched).toEqual(last?.touched);
      expect(asked.indexOf(one)).toBeLessThan(asked.length - 1);
    }
  });

  it('refuses a cursor of another list, a limit and a time that are none', () => {
    const { next } = QUERIES.sessions(database, { access: EVERYTHING, limit: 1 }, NEVER);
    const wrong: readonly Partial<StatementQuery>[] = [
      { cursor: next ?? '' },
      { cursor: 'x' },
      { limit: 0 },
      { limit: 201 },
      { since: 'yesterday' },
      { q: 'p*' },
    ];
    for (const given of wrong)
      expect(() => QUERIES.search(database, { access: EVERYTHING, limit: 5, ...given }, NEVER)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  it('ends at its deadline', () => {
    expect(() => QUERIES.search(database, { access: EVERYTHING, limit: 5, target: 'none' }, 0)).toThrow(
      expect.objectContaining({ code: 'PROJECTION_SLOW' }),
    );
  });
});

describe('words', () => {
  it.each([
    ['SELECT * FROM public.payment_items', ['select', 'from', 'public.payment_items', 'public', 'payment_items', 'payment', 'items']],
    ["note = 'Zürich 2026'", ['note', 'zürich', '2026']],
    ['"My.Table" $1', ['my.table', 'my', 'table', '$1']],
  ])('%s', (given, expected) => expect([...wordsOf(given)].sort()).toEqual([...expected].sort()));

  it('are asked for whole, or by their beginning', () => {
    expect(wordsAsked('Pay* public.payments')).toEqual([
      { word: 'pay', begins: true },
      { word: 'public.payments', begins: false },
    ]);
  });
});

describe('what is shown', () => {
  it('M8: bidirectional, hidden and control characters of texts and names are told by name; a long text is cut', async () => {
    using folderOf = journalFolder();
    using place = folder();
    const journal = await folderOf.open();
    const session = { ...opened('ses_1'), client: { address: '10.0.0.1', application: 'psql\u202e\u001b[2J', tls: true } };
    journal.append(session as ReturnType<typeof opened>);
    const hidden = { sessionId: 'ses_1', statementId: 'stm_1', payload: text("SELECT '\u202eabc\u200b' -- \u001b]52;c;x\u0007\n\tFROM t") };
    const long = { sessionId: 'ses_1', statementId: 'stm_2', payload: text(`SELECT '${'\u202e\u202d'.repeat(2_000)}' AS tail_word`) };
    for (const statement of [hidden, long]) {
      intent(journal, statement);
      journal.append(finished(statement));
    }
    await journal.close('done');
    await caughtUp(join(place.dir, 'p.sqlite'), folderOf.dir);
    const read = openForReading(join(place.dir, 'p.sqlite'));
    const [second, first] = QUERIES.search(read, { access: EVERYTHING, limit: 10 }, NEVER).items;
    const [shown] = QUERIES.sessions(read, { access: EVERYTHING, limit: 10 }, NEVER).items;
    expect(first?.text).toBe("SELECT '‹U+202E RIGHT-TO-LEFT OVERRIDE›abc‹U+200B ZERO WIDTH SPACE›' -- ‹U+001B ESCAPE›]52;c;x‹U+0007 BELL›\n\tFROM t");
    expect(second?.cut).toBe(true);
    expect(second?.text?.length).toBeLessThanOrEqual(2_000);
    expect(second?.text).toMatch(/›$/);
    expect(shown?.application).toBe('psql‹U+202E RIGHT-TO-LEFT OVERRIDE›‹U+001B ESCAPE›[2J');
    expect(QUERIES.search(read, { access: EVERYTHING, limit: 10, q: 'tail_word' }, NEVER).total).toBe(1);
    read.close();
  });

  it('a text that is not kept in clear is not shown, nor found by its words', async () => {
    using folderOf = journalFolder();
    using place = folder();
    const journal = await folderOf.open({ payloads: 'redacted' });
    journal.append(opened('ses_1'));
    const statement = { sessionId: 'ses_1', statementId: 'stm_1', payload: text("SELECT 'secret'") };
    journal.append(received(statement));
    journal.append(decided(statement));
    journal.append(cleared(statement));
    await journal.close('done');
    await caughtUp(join(place.dir, 'p.sqlite'), folderOf.dir);
    const read = openForReading(join(place.dir, 'p.sqlite'));
    const { items } = QUERIES.search(read, { access: EVERYTHING, limit: 10 }, NEVER);
    expect(items).toHaveLength(1);
    expect(items[0]?.text).toBeUndefined();
    expect(QUERIES.search(read, { access: EVERYTHING, limit: 10, q: 'select' }, NEVER).total).toBe(0);
    read.close();
  });
});
