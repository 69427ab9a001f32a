/** What time does to a stage: it asks more people by both clocks, denies by either, over restarts and clocks that are set (SECURITY A6). */
import { describe, expect, test } from 'vitest';
import { timestamp } from '#client/clock';
import type { Stage } from '#schemas/decision';
import type { Subject } from '#schemas/decision-request';
import { chainOf as chainIn } from '#engine/approvals/chain';
import { due, StageTimers, timesOf } from '#engine/approvals/escalation';
import type { ApprovalRecord } from '#engine/approvals/record';
import { TOKENS_ONLY } from '#engine/approvals/world';
import { requirement, stage, subject } from '#test/support/approvals';
import { FakeClock } from '#test/support/fake-clock';

const START = '2026-11-23T10:00:00.000000Z';
const dba: Stage = {
  ...stage('dba', 'dba'),
  escalate: [
    { after_s: 600, add: [{ group: 'sre' }] },
    { after_s: 1200, add: [{ group: 'sre' }, { user: 'boss' }] },
  ],
  deny_after_s: 3600,
};

function record(more: Partial<ApprovalRecord> = {}, stages: readonly Stage[] = [dba]): ApprovalRecord {
  return {
    approvalId: 'apr_1',
    state: 'open',
    requestedAt: START,
    expiresAt: '2026-11-24T10:00:00.000000Z',
    target: 'shop',
    subject: subject('alice'),
    requirement: requirement({ stages: [...stages] }),
    verdicts: [],
    added: new Map(),
    ...more,
  } as ApprovalRecord;
}

const chainOf = (one: ApprovalRecord): ReturnType<typeof chainIn> => chainIn(one, TOKENS_ONLY);

/** `sre, boss`, `denied: …`, or nothing. */
function told(one: ApprovalRecord, wallS: number, monotonicS: number = wallS): string {
  const elapsed = { wallUs: wallS * 1e6, monotonicUs: monotonicS * 1e6 };
  return due(one, chainOf(one), elapsed, Date.parse(START) * 1000 + wallS * 1e6)
    .map((event) =>
      event.type === 'approval.escalated'
        ? event.added.flatMap((added) => Object.values(added)).join()
        : event.type === 'approval.settled'
          ? `${event.outcome}: ${event.detail}`
          : '?',
    )
    .join();
}

describe('what is due', () => {
  test.each<[string, number, number, string]>([
    ['nothing before its time', 599, 599, ''],
    ['the first step', 600, 600, 'sre'],
    ['two steps at once, after a while without anybody looking', 1300, 1300, 'sre,boss'],
    ['not by the wall clock alone: it was set forward', 601, 10, ''],
    ['not by the monotonic clock alone: the wall clock was set back', 10, 601, ''],
    ['the denial', 3600, 3600, 'denied: stage dba was not decided within 3600 s'],
    ['the denial by the wall clock alone', 3600, 10, 'denied: stage dba was not decided within 3600 s'],
    ['the denial by the monotonic clock alone', 10, 3600, 'denied: stage dba was not decided within 3600 s'],
    ['nothing after the end', 86_400, 86_400, ''],
  ])('%s', (_name, wallS, monotonicS, expected) => {
    expect(told(record(), wallS, monotonicS)).toBe(expected);
  });

  test('what was added is not added again, and asks', () => {
    const once = record({ added: new Map([['dba', [{ group: 'sre' }]]]) });
    expect(told(once, 700)).toBe('');
    expect(told(once, 1200)).toBe('boss');
    const eve = subject('eve', ['sre']);
    const approved = { stage: 'dba', outcome: 'approve' as const, reviewer: eve, comment: null, time: START };
    expect(chainOf(record({ verdicts: [approved] })).complete).toBe(false);
    expect(chainOf({ ...once, verdicts: [approved] }).complete).toBe(true);
    expect(chainOf(once).stages[0]?.stage.quorum).toBe(1);
  });

  test('only the stage that is asked, from when it is asked; nothing of what is settled', () => {
    const second: Stage = { ...dba, id: 'second', order: 2 };
    const first = { ...stage('first', 'owners'), order: 1 };
    expect(told(record({}, [first, second]), 700)).toBe('');
    const owner: Subject = subject('olga', ['owners']);
    const later = { stage: 'first', outcome: 'approve' as const, reviewer: owner, comment: null, time: '2026-11-23T10:30:00.000000Z' };
    const asked = record({ verdicts: [later] }, [first, second]);
    expect(chainOf(asked).current).toMatchObject({ askedAt: '2026-11-23T10:30:00.000000Z', stage: { id: 'second' } });
    expect(told(asked, 600)).toBe('sre');
    for (const state of ['approved', 'denied', 'expired'] as const) expect(told(record({ state }), 700)).toBe('');
  });

  test('the view says when', () => {
    const [progress] = chainOf(record()).stages;
    if (!progress) throw new Error('no stage');
    expect(timesOf(record(), progress)).toEqual({ escalates_at: '2026-11-23T10:10:00.000000Z', denies_at: '2026-11-23T11:00:00.000000Z' });
    const once = record({ added: new Map([['dba', [{ group: 'sre' }]]]) });
    expect(timesOf(once, progress)).toMatchObject({ escalates_at: '2026-11-23T10:20:00.000000Z' });
    expect(timesOf(record({ state: 'approved' }), progress)).toEqual({});
    expect(timesOf(record(), { ...progress, askedAt: null })).toEqual({});
  });
});

describe('by two clocks', () => {
  const world = TOKENS_ONLY;
  const kinds = (timers: StageTimers, entry: object, one: ApprovalRecord, seenUs = 0): readonly string[] =>
    timers.due(entry, one, world, seenUs).map(({ type }) => type);

  test('set forward: nobody is added before the time has passed; set back: the denial comes all the same', () => {
    const clock = new FakeClock(START);
    const timers = new StageTimers(clock);
    const entry = {};
    expect(kinds(timers, entry, record())).toEqual([]);
    clock.set(700_000);
    expect(kinds(timers, entry, record())).toEqual([]);
    clock.pass(600_000);
    expect(kinds(timers, entry, record())).toEqual(['approval.escalated']);
    clock.set(-7_200_000);
    expect(kinds(timers, entry, record())).toEqual([]);
    clock.pass(3_000_000);
    expect(kinds(timers, entry, record())).toEqual(['approval.settled']);
  });

  test('after a restart: what passed meanwhile counts, by the wall clock or by what the journal has seen', () => {
    const clock = new FakeClock('2026-11-23T10:11:00Z');
    expect(kinds(new StageTimers(clock), {}, record())).toEqual(['approval.escalated']);
    // the wall clock was set back while it was down: the journal knows better, and then time must pass
    const behind = new FakeClock('2026-11-23T09:00:00Z');
    const timers = new StageTimers(behind);
    const entry = {};
    expect(kinds(timers, entry, record(), Date.parse('2026-11-23T10:30:00Z') * 1000)).toEqual([]);
    behind.pass(1_800_000);
    expect(kinds(timers, entry, record())).toEqual(['approval.settled']);
  });

  test('a later stage has its own time', () => {
    const clock = new FakeClock(START);
    const timers = new StageTimers(clock);
    const entry = {};
    const stages = [
      { ...stage('first', 'owners'), order: 1 },
      { ...dba, order: 2 },
    ];
    expect(kinds(timers, entry, record({}, stages))).toEqual([]);
    clock.pass(3_000_000);
    const verdict = {
      stage: 'first',
      outcome: 'approve' as const,
      reviewer: subject('olga', ['owners']),
      comment: null,
      time: timestamp(clock.wallUs()),
    };
    const asked = record({ verdicts: [verdict] }, stages);
    clock.pass(500_000);
    expect(kinds(timers, entry, asked)).toEqual([]);
    clock.pass(100_000);
    expect(kinds(timers, entry, asked)).toEqual(['approval.escalated']);
  });
});
