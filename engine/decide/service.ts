/** The decision service in the enforcer's process: policies in force, sessions, and the one dry run (DESIGN §4). */
import type { AccessRequest } from '#schemas/access-request';
import type { Catalog } from '#schemas/catalog';
import type { PolicyActivated, PolicyRejected } from '#schemas/event';
import type { Knowledge } from '#schemas/knowledge';
import { type ErrorCode, InterlockError } from '#schemas/errors';
import { type Clock, timestamp } from '#client/clock';
import type { DecisionService, SessionScope } from '#client/decision-service';
import type { Ids } from '#client/ids';
import type { Log } from '#client/log';
import { type AccessJudged, judgeAccess } from './access.ts';
import type { ApproversInput, NamedApprover } from './approver-sets.ts';
import { digest } from './canonical.ts';
import { LocalSession } from './decision-session.ts';
import { type DryRunInput, type DryRunResult, runDry } from './dry-run.ts';
import { InForce } from './in-force.ts';
import { Judge } from './judge.ts';
import type { MachineLimits } from './machine.ts';
import { openingJudgement } from './opening.ts';
import { FolderSource, type FolderSettings, type Offer, type PolicyHome, type PolicySource } from './policy-source.ts';
import type { FactsReader, MaskRewriter } from './ports.ts';
import { Readings } from './readings.ts';
import { sessionRequest } from './request.ts';
import type { Candidate } from './self-test.ts';

const FRESH_US = 250_000;

export type PolicySettings = FolderSettings & {
  /** Not seen to be current for longer than this: refuse. */
  readonly maxAgeMs: number;
};

export interface DecisionServiceOptions {
  readonly policies: PolicySettings;
  /** Where revisions come from; absent: the folder of `policies`. */
  readonly source?: PolicySource;
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
  /** Since they were last known to be the newest. */
  readonly ageMs: number;
  /** Young enough to judge by. */
  readonly usable: boolean;
}

/** @throws InterlockError POLICY_BUILD, POLICY_BUILTIN, POLICY_SELF_TEST, TOOL_MISSING: there is nothing to fall back to */
export async function openDecisionService(options: DecisionServiceOptions): Promise<LocalDecisionService> {
  const service = new LocalDecisionService(options);
  await service.start();
  return service;
}

export class LocalDecisionService implements DecisionService, PolicyHome {
  readonly #options: DecisionServiceOptions;
  readonly #readings = new Readings(() => this.#force?.readsParams ?? true);
  #force: InForce | null = null;
  #confirmedUs = 0;
  #confirmedWallUs = 0;
  #freshUntilUs = -1;
  /** The source is newer than the revision in force. */
  #behind = false;
  /** Wall clock: a bundle's expiry. */
  #untilUs = Number.POSITIVE_INFINITY;
  #maxAgeUs = 0;
  #error: string | null = null;
  #started = false;
  readonly #source: PolicySource;
  #reloading: Promise<void> = Promise.resolve();

  constructor(options: DecisionServiceOptions) {
    this.#options = options;
    this.#source = options.source ?? new FolderSource(options.policies, options.opa);
  }

  async start(): Promise<void> {
    try {
      await this.#source.open(this);
      this.#started = true;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Whether there is a revision, be it past its time. */
  get judging(): boolean {
    return this.#force !== null;
  }

  get revision(): string {
    return this.#force?.judge.revision ?? digest('');
  }

  get masksPossible(): boolean {
    return this.#force?.judge.policies.masksPossible ?? true;
  }

  status(): PolicyStatus {
    const { source, activatedAt } = this.#force ?? { source: this.#source.name, activatedAt: '' };
    const { clock } = this.#options;
    const ageUs = Math.max(clock.monotonicUs() - this.#confirmedUs, clock.wallUs() - this.#confirmedWallUs, 0);
    return { revision: this.revision, source, activatedAt, error: this.#error, ageMs: Math.round(ageUs / 1000), usable: this.inForce() !== null };
  }

  learn(target: string, knowledge: Knowledge): void {
    this.#readings.learn(target, knowledge);
  }

  /** What was read of a database; null: nothing was, here. */
  catalogOf(target: string): Catalog | null {
    return this.#readings.catalogOf(target);
  }

  /** What is known of a target; null: nothing, here. */
  knowledgeOf(target: string): Knowledge | null {
    return this.#readings.knowledgeOf(target);
  }

  openSession(scope: SessionScope): LocalSession {
    const force = this.inForce();
    const request = sessionRequest(scope, { digest: digest(''), bytes: 0 }, timestamp(this.#options.clock.wallUs()));
    return new LocalSession(this.#host(), scope, openingJudgement(force, request, this.revision));
  }

  /** @throws what was wrong; the last good revision stays */
  reload(): Promise<void> {
    return this.#source.reload();
  }

  /** @throws what was wrong; the last good revision stays */
  offer(offer: Offer): Promise<void> {
    const next = this.#reloading.then(() => this.#tryActivate(offer));
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
    this.#source.close();
  }

  /** null: nothing may judge. Both clocks must agree that it is young enough; the wall clock is asked four times a second, no more. */
  inForce(nowUs: number = this.#options.clock.monotonicUs()): InForce | null {
    if (nowUs < this.#freshUntilUs) return this.#force;
    const wallUs = this.#options.clock.wallUs();
    const maxAgeUs = this.#maxAgeUs;
    const ageUs = Math.max(nowUs - this.#confirmedUs, wallUs - this.#confirmedWallUs);
    if (ageUs > maxAgeUs || wallUs >= this.#untilUs) return null;
    this.#freshUntilUs = nowUs + Math.min(FRESH_US, maxAgeUs - ageUs, this.#untilUs - wallUs);
    return this.#force;
  }

  async #tryActivate(offer: Offer): Promise<void> {
    try {
      await this.#activate(offer);
    } catch (error) {
      // at the start whoever starts us says why there is nothing to judge by
      if (this.#started || this.#force !== null) this.rejected(offer.source, error);
      throw error;
    }
  }

  /** Says and records why something does not come into force. */
  rejected(source: string, error: unknown): void {
    const code: ErrorCode = error instanceof InterlockError ? error.code : 'POLICY_BUILD';
    const message = error instanceof Error ? error.message : String(error);
    this.#error = message;
    const stays = this.#force === null ? 'none is in force' : 'the last good revision stays in force';
    this.#options.log.error({ code, problem: message, source, revision: this.revision }, `the new policies were rejected; ${stays}`);
    this.#options.record({ type: 'policy.rejected', source, code, at: message.split('\n')[0] ?? '' });
  }

  async #activate({ source, load, commit, untilUs, maxAgeMs }: Offer): Promise<void> {
    const { log, clock, limits = {}, record } = this.#options;
    const { compiled, cases } = await load();
    const judge = await Judge.load(compiled, {
      log,
      ...(limits.machine ? { limits: limits.machine } : {}),
      ...(limits.checkedOneIn ? { checkedOneIn: limits.checkedOneIn } : {}),
    });
    const force = new InForce(judge, source, timestamp(clock.wallUs()), limits.cacheBytes);
    judge.selfTest();
    const { packages, masksPossible } = compiled;
    await this.#options.selfTest?.({ judge: (input) => this.#dryRun(input, force), packages, masksPossible, cases });
    await commit?.();
    const previous = this.#force?.judge.revision ?? null;
    this.#force = force;
    this.#untilUs = untilUs ?? Number.POSITIVE_INFINITY;
    this.#maxAgeUs = (maxAgeMs ?? this.#options.policies.maxAgeMs) * 1000;
    this.#freshUntilUs = -1;
    this.#error = null;
    this.#behind = false;
    this.confirm();
    for (const stage of Object.keys(compiled.stages) as (keyof typeof compiled.stages)[]) {
      const { volatile } = compiled.stages[stage];
      if (volatile.length > 0) log.warn({ stage, reads: volatile }, 'policies read what changes with every request, so judgements are not cached');
    }
    if (previous === judge.revision) return;
    record({ type: 'policy.activated', revision: judge.revision, previous, source });
    log.info({ revision: judge.revision, previous, packages: compiled.packages.map((entry) => entry.name) }, 'policies activated');
  }

  /** Without `watch` a change is not taken over; but then the revision is no longer the newest, and ages. */
  fellBehind(): void {
    this.#behind = true;
  }

  confirm(untilUs?: number): void {
    if (untilUs !== undefined) {
      this.#untilUs = untilUs;
      this.#freshUntilUs = -1;
      this.#error = null;
    }
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
      catalogOf: (target) => this.#readings.catalogOf(target),
      statement: (text, read, context) => this.#readings.statement(text, read, context),
    };
  }
}
