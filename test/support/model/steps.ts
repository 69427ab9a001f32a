/** What may happen, and how often: steps that run at the same time in rounds, and what changes between rounds. */
import fc from 'fast-check';
import type { Statement } from './judge.ts';
import { ACCOUNTS, REQUIREMENTS } from './people.ts';

export type Step =
  | { readonly do: 'request'; readonly statement: Statement }
  /** All the way: asked, decided by these, used. */
  | { readonly do: 'carry'; readonly statement: Statement; readonly accounts: readonly number[]; readonly nonce: number }
  | { readonly do: 'verdict'; readonly which: number; readonly account: number; readonly outcome: 'approve' | 'deny' | 'changes' }
  | { readonly do: 'consume'; readonly which: number; readonly twist: Twist; readonly nonce: number }
  | { readonly do: 'withdraw' | 'review'; readonly which: number; readonly account: number }
  | { readonly do: 'cancel' | 'supersede' | 'glass'; readonly which: number };

export type Round =
  | { readonly do: 'steps'; readonly steps: readonly Step[] }
  | { readonly do: 'pass' | 'set'; readonly seconds: number }
  | { readonly do: 'move'; readonly account: number }
  | { readonly do: 'delegate'; readonly from: number; readonly to: number }
  | { readonly do: 'call'; readonly account: number | null }
  | { readonly do: 'freeze' }
  /** With these steps half done. */
  | { readonly do: 'restart'; readonly crash: readonly Step[] };

/** How the statement of a use differs from the one that was approved; null: not at all. */
export type Twist = keyof Statement | null;

const account = fc.nat(ACCOUNTS.length - 1);
const which = fc.nat(2);
const statement = fc.record({ text: fc.nat(2), who: fc.nat(1), requirement: fc.nat(REQUIREMENTS.length - 1), session: fc.nat(1) });
const outcome = fc.oneof(
  { weight: 12, arbitrary: fc.constant('approve' as const) },
  { weight: 1, arbitrary: fc.constantFrom('deny' as const, 'changes' as const) },
);
const twist: fc.Arbitrary<Twist> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.constantFrom('text' as const, 'who' as const, 'requirement' as const, 'session' as const) },
);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('request' as const), statement }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('carry' as const),
      statement,
      accounts: fc.array(account, { minLength: 1, maxLength: 6 }),
      nonce: fc.nat(20),
    }),
  },
  { weight: 14, arbitrary: fc.record({ do: fc.constant('verdict' as const), which, account, outcome }) },
  { weight: 12, arbitrary: fc.record({ do: fc.constant('consume' as const), which, twist, nonce: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('withdraw' as const, 'review' as const), which, account }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('cancel' as const, 'supersede' as const), which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('glass' as const), which }) },
);

const steps = fc.record({ do: fc.constant('steps' as const), steps: fc.array(step, { minLength: 1, maxLength: 5 }) });
const round: fc.Arbitrary<Round> = fc.oneof(
  { weight: 24, arbitrary: steps },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), seconds: fc.integer({ min: 1, max: 900 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('set' as const), seconds: fc.integer({ min: -4_000, max: 1_000 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('move' as const), account }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delegate' as const), from: account, to: account }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('call' as const), account: fc.option(account) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'freeze' as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('restart' as const), crash: fc.array(step, { maxLength: 3 }) }) },
);

export const story: fc.Arbitrary<readonly Round[]> = fc.array(round, { minLength: 5, maxLength: 40, size: 'max' });
