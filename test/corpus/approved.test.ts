/** The corpus' cases about what happens between an approval and its use, run whole: held, approved by a reviewer, tampered with, sent again (A2). */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Relay, startRelay } from '#test/support/relay';
import { filled, loadCases, type CorpusCase, type Run, type Step } from './case.ts';
import { openDatabase, type CorpusDatabase } from './database.ts';
import { exchange, type Exchange } from './exchange.ts';
import { interlock, type Subject } from './subject.ts';
import { outcomeOf, type Seen } from './verdict.ts';

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const CASES = loadCases(file('./public/sql.jsonl')).filter(({ tags }) => tags?.includes('approval-toctou'));
/** What a name means that only the tampering makes: a reviewer is asked about something. */
const BEFORE: Readonly<Record<string, Step>> = { 'sql-appr-searchpath': { sql: 'CREATE TABLE old_orders (id int)' } };
/** Of a case that only tampers: what was approved before. */
const APPROVED: Step = { sql: 'DELETE FROM payments WHERE id = 1' };
const MODES = ['simple', 'extended'] as const;

let database: CorpusDatabase;
let relay: Relay;
/** By the role that the gateway is at the target. */
const subjects: Map<string | null, Subject> = new Map();
beforeAll(async () => {
  database = await openDatabase({ major: 15 });
  relay = await startRelay(database.address(null));
  await database.ensure('real');
  for (const role of new Set(CASES.map(({ target_role }) => target_role ?? null))) {
    subjects.set(role, await interlock(file('./approving.yaml'), { ...database.address(role), host: relay.host, port: relay.port }));
  }
});
afterAll(async () => {
  for (const subject of subjects.values()) await subject[Symbol.asyncDispose]();
  await relay?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

test('there are five of them', () => expect(CASES.length).toBe(5));

describe.each(CASES.map((record) => ({ record, id: record.id })))('$id', ({ record }) => {
  test.each(MODES)('%s: asks anew or is refused, and the effect is not there', async (mode) => {
    const { asked, tampered, used, done } = await run(record, mode, true);
    expect(asked).toMatchObject({ outcome: 'approval', sqlstate: 'IL001' });
    // every step of the tampering was let through: nothing but the approval stopped it
    expect(tampered).toEqual(tampering(record).map(() => 'allowed'));
    expect(used.outcome).toBe('approval');
    expect(['IL001', 'IL003']).toContain(used.sqlstate);
    expect(await database.holds('(SELECT count(*) FROM public.payments) > 0 AND (SELECT count(*) FROM public.customers) > 0')).toBe(true);
    expect(record.effect_scope === 'admin' && done.effectSeen).toBe(false);
  });

  test.each(MODES)('%s: its twin, not tampered with, runs', async (mode) => {
    const { asked, used, done } = await run(record, mode, false);
    expect(asked).toMatchObject({ sqlstate: 'IL001' });
    expect(used.outcome, used.message ?? '').toBe('allowed');
    expect(done.steps.at(-1)?.reached).toBe(true);
  });
});

interface Ran {
  readonly asked: Seen;
  readonly tampered: readonly string[];
  readonly used: Seen;
  readonly done: Exchange;
}

async function run(record: CorpusCase, mode: 'simple' | 'extended', tampers: boolean): Promise<Ran> {
  await database.ensure('real');
  const subject = subjects.get(record.target_role ?? null) as Subject;
  // a text of its own, so that no other run is asked about the same
  const mark = `/* ${record.id} ${mode} ${tampers ? 'tampered' : 'twin'} */`;
  const target = { sql: `${approvedOf(record).sql} ${mark}`, mode };
  const before = BEFORE[record.id] ? [BEFORE[record.id] as Step] : [];
  const steps: Step[] = [...before, { ...target, target: false }, ...(tampers ? tampering(record) : []), { ...target, target: true }];
  const plan: Run = { case: filled(record, database.places), mode: 'steps', mutation: null, steps };
  const at = before.length;
  const approve = async (index: number): Promise<void> => {
    if (index === at + 1) expect(await subject.approve('owners', mark)).toBe(1);
  };
  const done = await exchange(plan, await subject.address('app'), relay, database, approve);
  const seen = (index: number): Seen => outcomeOf({ ...done, steps: done.steps.slice(index, index + 1) });
  return {
    asked: seen(at),
    tampered: done.steps.slice(at + 1, -1).map((_, index) => seen(at + 1 + index).outcome),
    used: seen(done.steps.length - 1),
    done,
  };
}

const tampering = (record: CorpusCase): Step[] =>
  (record.steps ?? []).filter((step) => step.sql !== approvedOf(record).sql).map((step) => ({ ...step, target: false }));

function approvedOf({ steps = [] }: CorpusCase): Step {
  const target = steps.find((step) => step.target === true);
  return steps.length > 1 && target ? target : APPROVED;
}
