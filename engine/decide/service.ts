/** The decision service in the enforcer's process: policies in force, sessions, and the one dry run (DESIGN §4). */
import type { AccessRequest } from '#schemas/access-request';
import type { Catalog } from '#schemas/catalog';
import type { PolicyActivated, PolicyRejected } from '#schemas/event';
import { type ErrorCode, InterlockError } from '#schemas/errors';
import { type Clock, timestamp } from '#client/clock';
import type { DecisionService, SessionScope } from '#client/decision-service';
import type { Ids } from '#client/ids';
import type { Log } from '#client/log';
import { type AccessJudged, judgeAccess } from './access.ts';
import type { ApproversInput, NamedApprover } from './approver-sets.ts';
import { compilePolicies } from './bundle.ts';
import { digest } from './canonical.ts';
import { LocalSession } from './decision-session.ts';
import { type DryRunInput, type DryRunResult, runDry } from './dry-run.ts';
import { InForce } from './in-force.ts';
import { Judge } from './judge.ts';
import type { MachineLimits } from './machine.ts';
import { openingJudgement } from './opening.ts';
import type { FactsReader, MaskRewriter } from './ports.ts';
import { Readings } from './readings.ts';
import { sessionRequest } from './request.ts';
import type { Candidate } from './self-test.ts';
import { readSources, sourcesStamp } from './sources.ts';
import { type SourceWatch, watchSources } from './watch.ts';

const FRESH_US = 250_000;

export interface PolicySettings {
  readonly dir: string;
  /** YAML or JSON documents merged into `data`, later ones over earlier ones. */
  readonly data: readonly string[];
  readonly watch: boolean;
  /** Not seen to be current for longer than this: refuse. */
  readonly maxAgeMs: number;
}

export interface DecisionServiceOptions {
  readonly policies: PolicySettings;
  readonly facts: FactsReader;
  readonly masks: MaskRewriter;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly record: (event: PolicyActivated | PolicyRejected) => void;
  /** Path of the OPA program. */
  readonly opa: () => Promise<string>;
  /** Called with each new revision before it comes into force; what it throws keeps the last good one. */
  readonly selfTest?: (candidate: Candidate) => Promise<void>;
  /** For tests of the bounds. */
  readonly limits?: { readonly machine?: MachineLimits; readonly cacheBytes?: number; readonly checkedOneIn?: number };
}

export interface PolicyStatus {
  readonly revision: string;
  readonly source: string;
  readonly activatedAt: string;
  /** Why the newest policies are not in force; null: they are. */
  readonly error: string | null;
}

/** @throws InterlockError POLICY_BUILD, POLICY_BUILTIN, POLICY_SELF_TEST, TOOL_MISSING: there is nothing to fall back to */
export async function openDecisionService(options: DecisionServiceOptions): Promise<LocalDecisionService> {
  const service = new LocalDecisionService(options);
  await service.start();
  return service;
}

export class LocalDecisionService implements DecisionService {
  readonly #options: DecisionServiceOptions;
  readonly #readings = new Readings(() => this.#force?.readsParams ?? true);
  #force: InForce | null = null;
  #confirmedUs = 0;
  #confirmedWallUs = 0;
  #freshUntilUs = -1;
  /** The source is newer than the revision in force. */
  #behind = false;
  #error: string | null = null;
  #watch: SourceWatch | null = null;
  #reloading: Promise<void> = Promise.resolve();

  constructor(options: DecisionServiceOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { dir, data } = this.#options.policies;
    const stamp = await sourcesStamp(dir, data).catch(() => '');
    await this.#activate();
    this.#watch = watchSources(
      dir,
      data,
      stamp,
      () => this.#changed(),
      () => this.#confirm(),
    );
  }

  get revision(): string {
    return this.#force?.judge.revision ?? digest('');
  }

  get masksPossible(): boolean {
    return this.#force?.judge.policies.masksPossible ?? true;
  }

  status(): PolicyStatus {
    const { source, activatedAt } = this.#force ?? { source: this.#options.policies.dir, activatedAt: '' };
    return { revision: this.revision, source, activatedAt, error: this.#error };
  }

  learn(target: string, catalog: Catalog): void {
    this.#readings.learn(target, catalog);
  }

  openSession(scope: SessionScope): LocalSession {
    const force = this.inForce();
    const request = sessionRequest(scope, { digest: digest(''), bytes: 0 }, timestamp(this.#options.clock.wallUs()));
    return new LocalSession(this.#host(), scope, openingJudgement(force, request, this.revision));
  }

  /** Builds and tests off to the side, then swaps at once. One at a time. @throws what was wrong; the last good revision stays */
  reload(): Promise<void> {
    const next = this.#reloading.then(() => this.#tryActivate());
    this.#reloading = next.catch(() => {});
    return next;
  }

  dryRun(input: DryRunInput): Promise<DryRunResult> {
    return this.#dryRun(input);
  }

  /** A question that carries no statement of ours, by the packages of scope `access`. Opens nothing, records nothing. */
  access(request: AccessRequest): AccessJudged {
    return judgeAccess(this.inForce(), request, this.revision);
  }

  #dryRun(input: DryRunInput, candidate?: InForce): Promise<DryRunResult> {
    const force = input.data ? (candidate ?? this.inForce())?.withData(input.data) : candidate;
    return runDry(this.#host(force), input, this.#options.ids);
  }

  close(): void {
    this.#watch?.close();
    this.#watch = null;
  }

  /** null: nothing may judge. Both clocks must agree that it is young enough; the wall clock is asked four times a second, no more. */
  inForce(nowUs: number = this.#options.clock.monotonicUs()): InForce | null {
    if (nowUs < this.#freshUntilUs) return this.#force;
    const { clock, policies } = this.#options;
    const maxAgeUs = policies.maxAgeMs * 1000;
    const ageUs = Math.max(nowUs - this.#confirmedUs, clock.wallUs() - this.#confirmedWallUs);
    if (ageUs > maxAgeUs) return null;
    this.#freshUntilUs = nowUs + Math.min(FRESH_US, maxAgeUs - ageUs);
    return this.#force;
  }

  async #tryActivate(): Promise<void> {
    try {
      await this.#activate();
    } catch (error) {
      const code: ErrorCode = error instanceof InterlockError ? error.code : 'POLICY_BUILD';
      const message = error instanceof Error ? error.message : String(error);
      this.#error = message;
      this.#options.log.error(
        { code, problem: message, revision: this.revision },
        'the new policies were rejected; the last good revision stays in force',
      );
      this.#options.record({ type: 'policy.rejected', source: this.#options.policies.dir, code, at: message.split('\n')[0] ?? '' });
      throw error;
    }
  }

  async #activate(): Promise<void> {
    const { policies, log, clock, limits = {}, opa, record } = this.#options;
    const sources = await readSources(policies.dir, policies.data);
    const compiled = await compilePolicies(sources, opa);
    const judge = await Judge.load(compiled, {
      log,
      ...(limits.machine ? { limits: limits.machine } : {}),
      ...(limits.checkedOneIn ? { checkedOneIn: limits.checkedOneIn } : {}),
    });
    const force = new InForce(judge, policies.dir, timestamp(clock.wallUs()), limits.cacheBytes);
    judge.selfTest();
    const { packages, masksPossible } = compiled;
    await this.#options.selfTest?.({ judge: (input) => this.#dryRun(input, force), packages, masksPossible, cases: sources.cases });
    const previous = this.#force?.judge.revision ?? null;
    this.#force = force;
    this.#error = null;
    this.#behind = false;
    this.#confirm();
    for (const stage of Object.keys(compiled.stages) as (keyof typeof compiled.stages)[]) {
      const { volatile } = compiled.stages[stage];
      if (volatile.length > 0) log.warn({ stage, reads: volatile }, 'policies read what changes with every request, so judgements are not cached');
    }
    if (previous === judge.revision) return;
    record({ type: 'policy.activated', revision: judge.revision, previous, source: policies.dir });
    log.info({ revision: judge.revision, previous, packages: compiled.packages.map((entry) => entry.name) }, 'policies activated');
  }

  /** Without `watch` a change is not taken over; but then the revision is no longer the newest, and ages. */
  async #changed(): Promise<void> {
    this.#behind = true;
    // what was wrong stands in the log and in the status
    if (this.#options.policies.watch) await this.reload().catch(() => {});
  }

  #confirm(): void {
    if (this.#error !== null || this.#behind) return;
    this.#confirmedUs = this.#options.clock.monotonicUs();
    this.#confirmedWallUs = this.#options.clock.wallUs();
  }

  /** The data documents in force, for what the engine itself reads of them; null: there are none that may still be gone by. */
  documents(): Readonly<Record<string, unknown>> | null {
    return this.inForce()?.judge.policies.documents ?? null;
  }

  /** Whom `data.approvers.NAME` holds for a request for approval; null: nothing answers. */
  approvers(name: string, input: ApproversInput): readonly NamedApprover[] | null {
    return this.inForce()?.judge.approvers(name, input) ?? null;
  }

  /** Whether that set reads `input.time`: its answer is of the moment. */
  approversReadTime(name: string): boolean {
    return this.#force?.judge.policies.approverSets.get(name)?.readsTime ?? true;
  }

  /** @param fixed judge by this revision, in force or not */
  #host(fixed?: InForce): ConstructorParameters<typeof LocalSession>[0] {
    const { facts, masks, clock, ids, log } = this.#options;
    return {
      log,
      facts,
      masks,
      clock,
      ids,
      revision: fixed?.judge.revision ?? this.revision,
      inForce: (nowUs) => fixed ?? this.inForce(nowUs),
      generation: () => this.#readings.generation,
      contextOf: (scope, settings) => this.#readings.contextOf(scope, settings),
      statement: (text, read, context) => this.#readings.statement(text, read, context),
    };
  }
}
