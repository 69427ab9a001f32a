/** What the policies' data say about using an approval now: windows, freezes, and who may break the glass. */
import type { Clock } from '#client/clock';
import type { Principal } from '#client/identity';
import type { Log } from '#client/log';
import { InterlockError } from '#schemas/errors';
import { parseUs } from './deadline.ts';
import type { DataInForce } from './parts.ts';
import type { ApprovalRecord } from './record.ts';
import { concerns, type GlassRule, readRules, type RuleDocuments, ruleProblems } from './rules-document.ts';
import { isOpen, nextOpening } from './schedule.ts';
import type { World } from './world.ts';

interface RulesOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly data?: DataInForce;
  readonly envOf?: (target: string) => string | null;
}

const NONE: RuleDocuments = { freezes: [], glass: [], freezeProblems: [], glassProblems: [] };

export class Rules {
  readonly #options: RulesOptions;
  #read: { readonly data: object; readonly rules: RuleDocuments } | null = null;

  constructor(options: RulesOptions) {
    this.#options = options;
  }

  /** Reads what is new in the documents, so that a problem is told when it comes and not when somebody is stopped by it. */
  look(): void {
    if (this.#options.data?.data() != null) this.#documents();
  }

  /** A freeze is beaten by nothing; a window by a broken glass whose rule says so. @throws InterlockError APPROVAL_FROZEN, APPROVAL_NOT_YET, POLICY_UNAVAILABLE */
  checkUse(record: ApprovalRecord): void {
    this.#checkFreezes(record);
    const rule = record.glass && this.#documents().glass.find(({ id }) => id === record.glass?.rule);
    if (rule?.ignoresSchedule !== true) this.#checkSchedules(record);
  }

  /** The rule by which this human may break this glass; the longest-lived of several. null: none. */
  glassRuleFor(record: ApprovalRecord, by: Principal, world: World): GlassRule | null {
    const { glass, glassProblems } = this.#documents();
    if (glassProblems.length > 0) return null;
    const groups = world.groupsOf(by.subject);
    const { id, properties } = by.subject;
    const named = (rule: GlassRule): boolean =>
      rule.groups.some((group) => groups.includes(group)) || rule.users.some((user) => user === id || user === properties.login);
    // An `env` that is not known is no reason to let anybody.
    const env = this.#env(record);
    const fits = glass.filter((rule) => named(rule) && concerns(rule, record.target, env) && (rule.env === null || env !== null));
    return fits.toSorted((a, b) => b.validForS - a.validForS)[0] ?? null;
  }

  #checkFreezes(record: ApprovalRecord): void {
    const { freezes, freezeProblems } = this.#documents();
    const [problem] = freezeProblems;
    if (problem !== undefined) {
      throw new InterlockError('APPROVAL_FROZEN', `the freezes cannot be read, so nothing that needs approval runs: ${problem}`);
    }
    const nowMs = this.#nowMs();
    const env = this.#env(record);
    const freeze = freezes.find((one) => !(nowMs < one.fromMs || nowMs >= one.toMs) && concerns(one, record.target, env));
    if (!freeze) return;
    const until = instant(freeze.toMs);
    throw new InterlockError('APPROVAL_FROZEN', `the freeze ${freeze.id} is on until ${until}: ${freeze.reason}`, {
      hint: `the approval stays; run the same statement again after ${until}`,
    });
  }

  #checkSchedules(record: ApprovalRecord): void {
    const { schedules = [] } = record.requirement;
    const nowMs = this.#nowMs();
    if (known(() => isOpen(schedules, nowMs))) return;
    const next = known(() => nextOpening(schedules, nowMs));
    if (next === null) throw new InterlockError('APPROVAL_NOT_YET', 'it is outside the times at which policy lets it run, and no such time is near');
    const late = record.validUntil !== null && next * 1000 >= parseUs(record.validUntil);
    throw new InterlockError('APPROVAL_NOT_YET', `it is outside the times at which policy lets it run; the next window opens at ${instant(next)}`, {
      hint: late ? 'the approval ends before; ask anew then' : `run the same statement again after ${instant(next)}`,
    });
  }

  #documents(): RuleDocuments {
    const { data: source, log } = this.#options;
    if (!source) return NONE;
    const data = source.data();
    if (data === null) throw new InterlockError('POLICY_UNAVAILABLE', 'no policies are in force, so nothing tells whether a freeze is on');
    if (this.#read?.data !== data) {
      this.#read = { data, rules: readRules(data) };
      for (const problem of ruleProblems(data)) log.error({ problem }, 'the policies’ data cannot be read');
    }
    return this.#read.rules;
  }

  #env(record: ApprovalRecord): string | null {
    return this.#options.envOf?.(record.target) ?? null;
  }

  #nowMs(): number {
    return this.#options.clock.wallUs() / 1000;
  }
}

/** A time zone that nobody knows is no time at all. */
function known<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new InterlockError('APPROVAL_NOT_YET', `the times at which policy lets it run cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** `2026-11-23 10:00 UTC` */
function instant(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
