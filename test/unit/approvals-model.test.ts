/**
 * Invariant 4 against a model that knows only what was granted: an approval is never used more often than it grants, never for another payload or
 * principal, never without its quorum of distinct eligible humans, never after its end — whatever order, concurrency, restarts and clocks.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ApprovalDraft } from '#client/approvals';
import type { Principal } from '#client/identity';
import type { Requirement } from '#schemas/decision';
import type { Subject } from '#schemas/decision-request';
import { type Desk, draft, openDesk, requirement, reviewer, stage, subject } from '#test/support/approvals';
import type { FakeClock } from '#test/support/fake-clock';

const RUNS = Number(process.env['INTERLOCK_MODEL_RUNS'] ?? 500);

const REQUIREMENTS: readonly Requirement[] = [
  requirement(),
  requirement({
    stages: [stage('one', 'owners', 2, 1), stage('two', 'security', 1, 2)],
    grant: { of: 'statement', uses: 2 },
    digest: `sha256:${'2'.repeat(64)}`,
  }),
  requirement({ grant: { of: 'statement', uses: null }, digest: `sha256:${'3'.repeat(64)}` }),
];
const REQUESTERS: readonly Subject[] = [subject('alice', ['owners', 'security']), subject('robot', ['owners'], { type: 'agent', owner: 'carol' })];
/** Who tries to decide; `human` is who they are, or null for none. */
const REVIEWERS: readonly { login: string; groups: string[]; human: string | null; more?: Partial<Subject> }[] = [
  { login: 'alice', groups: ['owners', 'security'], human: 'alice' },
  { login: 'carol', groups: ['owners', 'security'], human: 'carol' },
  { login: 'Carol', groups: ['owners', 'security'], human: 'carol', more: { id: 'https://other.example.com|1' } },
  { login: 'dave', groups: ['owners'], human: 'dave' },
  { login: 'erin', groups: ['security', 'owners'], human: 'erin' },
  { login: 'mallory', groups: ['support'], human: 'mallory' },
  { login: 'batch', groups: ['owners', 'security'], human: null, more: { type: 'service' } },
];

type Step =
  | { readonly do: 'request' | 'supersede' | 'cancel'; readonly statement: Statement }
  | { readonly do: 'verdict'; readonly which: number; readonly who: number; readonly outcome: 'approve' | 'deny' }
  | { readonly do: 'consume'; readonly which: number /** null: its own */; readonly statement: Statement | null; readonly nonce: number };
type Round =
  | { readonly do: 'steps'; readonly steps: readonly Step[] }
  | { readonly do: 'pass' | 'set'; readonly seconds: number }
  | { readonly do: 'restart' };
interface Statement {
  readonly text: number;
  readonly who: number;
  readonly requirement: number;
}

/** What the model knows of one request: what was asked, whose yes was accepted, what was used. */
interface Known {
  readonly statement: Statement;
  readonly yes: { readonly human: string; readonly groups: readonly string[] }[];
  readonly receipts: Set<string>;
  /** Both clocks, and whether the wall clock was set back since: then a restart cannot know how long it was away. */
  granted: { readonly monotonicMs: number; uncertain: boolean } | null;
}

class World {
  desk: Desk;
  readonly known = new Map<string, Known>();
  readonly #order: string[] = [];

  constructor(desk: Desk) {
    this.desk = desk;
  }

  async run(round: Round): Promise<void> {
    switch (round.do) {
      case 'pass':
        return this.desk.clock.pass(round.seconds * 1000);
      case 'set':
        for (const one of this.known.values()) if (one.granted && round.seconds < 0) one.granted.uncertain = true;
        return this.desk.clock.set(round.seconds * 1000);
      case 'restart':
        this.desk = await this.desk.restart();
        return;
      case 'steps':
        await Promise.all(round.steps.map((step) => this.#step(step)));
    }
  }

  async #step(step: Step): Promise<void> {
    try {
      await this.#try(step);
    } catch (error) {
      // A refusal is an answer; a failed expectation is not.
      if (!(error instanceof Error && 'code' in error) || error.name === 'AssertionError') throw error;
    }
  }

  async #try(step: Step): Promise<void> {
    const { book, clock } = this.desk;
    switch (step.do) {
      case 'request': {
        const { approvalId, approval } = await book.request(draftOf(step.statement));
        if (!this.known.has(approvalId)) {
          this.known.set(approvalId, { statement: step.statement, yes: [], receipts: new Set(), granted: null });
          this.#order.push(approvalId);
        }
        expect(this.known.get(approvalId)?.statement).toEqual(step.statement);
        if (approval) this.#checkGranted(approvalId);
        return;
      }
      case 'verdict':
        return this.#verdict(this.#one(step.which), step);
      case 'consume': {
        const id = this.#one(step.which);
        const used = step.statement ?? this.known.get(id)?.statement ?? { text: 0, who: 0, requirement: 0 };
        const d = { ...draftOf(used), statementId: `stm_${step.nonce}` };
        const { receipt } = await book.consume(id, { statementId: d.statementId, enforcer: 'shop', nonce: `non_${step.nonce}`, draft: d });
        return this.#checkUse(id, used, receipt, clock);
      }
      case 'cancel':
      case 'supersede': {
        const ticket = await book.request(draftOf(step.statement));
        if (step.do === 'cancel') await book.cancel(ticket.approvalId, REQUESTERS[step.statement.who]?.id ?? '');
        else await book.supersede(ticket.approvalId, 'another revision');
      }
    }
  }

  /** Mostly the last ones. */
  #one(which: number): string {
    return this.#order.at(-1 - (which % (this.#order.length || 1))) ?? 'apr_none';
  }

  async #verdict(id: string, step: Extract<Step, { do: 'verdict' }>): Promise<void> {
    const { book, clock } = this.desk;
    const who = REVIEWERS[step.who % REVIEWERS.length] as (typeof REVIEWERS)[number];
    const one = this.known.get(id);
    // The grant begins when the verdict is written, which is not after this moment.
    const startMs = clock.monotonicUs() / 1000;
    const given = book.verdict(id, { reviewer: principal(who, clock), outcome: step.outcome });
    const view = await given;
    expect(who.human).not.toBeNull();
    expect(forbidden(one)).not.toContain(who.human);
    if (step.outcome === 'approve') one?.yes.push({ human: who.human ?? '', groups: who.groups });
    if (one && (view.state === 'approved' || view.state === 'consumed')) one.granted ??= { monotonicMs: startMs, uncertain: false };
  }

  #checkUse(id: string, statement: Statement, receipt: string, clock: FakeClock): void {
    const one = this.known.get(id) as Known;
    const first = !one.receipts.has(receipt);
    expect(statement).toEqual(one.statement);
    this.#checkGranted(id);
    one.receipts.add(receipt);
    expect(one.receipts.size).toBeLessThanOrEqual(grantOf(one).grant.uses ?? Number.POSITIVE_INFINITY);
    const ageMs = clock.monotonicUs() / 1000 - (one.granted?.monotonicMs ?? 0);
    if (first && !one.granted?.uncertain) expect(ageMs).toBeLessThanOrEqual(grantOf(one).valid_for_s * 1000);
  }

  /** Enough distinct humans said yes, none of them forbidden, and every stage finds its own among them. */
  #checkGranted(id: string): void {
    const one = this.known.get(id) as Known;
    const { stages } = grantOf(one);
    const humans = new Set(one.yes.map(({ human }) => human));
    expect(humans.size).toBeGreaterThanOrEqual(stages.reduce((sum, { quorum }) => sum + quorum, 0));
    for (const human of forbidden(one)) expect(humans).not.toContain(human);
    for (const { any_of, quorum } of stages) {
      const group = (any_of[0] as { group: string }).group;
      expect(new Set(one.yes.filter(({ groups }) => groups.includes(group)).map(({ human }) => human)).size).toBeGreaterThanOrEqual(quorum);
    }
  }
}

function grantOf(one: Known): Requirement {
  return REQUIREMENTS[one.statement.requirement] as Requirement;
}

function forbidden(one: Known | undefined): readonly string[] {
  return one?.statement.who === 0 ? ['alice'] : ['carol', 'robot'];
}

function draftOf({ text, who, requirement: which }: Statement): ApprovalDraft {
  return draft({ text: `DELETE FROM t${text}`, subject: REQUESTERS[who] as Subject, requirement: REQUIREMENTS[which] as Requirement });
}

function principal({ login, groups, more }: (typeof REVIEWERS)[number], clock: FakeClock): Principal {
  return reviewer(login, groups, clock, { subject: subject(login, groups, more) });
}

const statement = fc.record({ text: fc.nat(1), who: fc.nat(1), requirement: fc.nat(2) });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('request' as const), statement }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('verdict' as const),
      which: fc.nat(2),
      who: fc.nat(REVIEWERS.length - 1),
      outcome: fc.oneof({ weight: 9, arbitrary: fc.constant('approve' as const) }, { weight: 1, arbitrary: fc.constant('deny' as const) }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('consume' as const),
      which: fc.nat(2),
      statement: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: statement }),
      nonce: fc.nat(5),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('cancel' as const, 'supersede' as const), statement }) },
);
const round: fc.Arbitrary<Round> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('steps' as const), steps: fc.array(step, { minLength: 1, maxLength: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), seconds: fc.integer({ min: 1, max: 700 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('set' as const), seconds: fc.integer({ min: -4000, max: 4000 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
);

test(`A5, A6: ${RUNS} runs`, { timeout: 120_000 }, async () => {
  let used = 0;
  let deep = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(round, { minLength: 5, maxLength: 60, size: 'max' }), async (rounds) => {
      const world = new World(await openDesk({ rememberDenialMs: 60_000 }));
      try {
        for (const one of rounds) await world.run(one);
      } finally {
        world.desk.book.close();
      }
      used += [...world.known.values()].reduce((sum, { receipts }) => sum + receipts.size, 0);
      deep += [...world.known.values()].filter((one) => one.statement.requirement === 1 && one.receipts.size > 0).length;
    }),
    { numRuns: RUNS },
  );
  // A model that never gets as far as a use would prove nothing.
  expect(used).toBeGreaterThan(RUNS / 2);
  expect(deep).toBeGreaterThan(0);
});
