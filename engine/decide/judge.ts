/** One revision of the policies, ready to judge: evaluates, combines, remembers. Everything here is synchronous and in the enforcing thread. */
import { Compile } from 'typebox/compile';
import { type AccessRequest, AccessRequest as AccessRequestSchema } from '#schemas/access-request';
import { DecisionRequest } from '#schemas/decision-request';
import { type ErrorCode, InterlockError } from '#schemas/errors';
import type { Log } from '#client/log';
import { answersOf, mayBeIllFormed, orderless, wellFormed } from './answer-text.ts';
import { type ApproversInput, ApproverSets, type NamedApprover } from './approver-sets.ts';
import type { CompiledPolicies, CompiledStage } from './bundle.ts';
import { chainsOf } from './chains.ts';
import { type CombineContext, type Combined, combine, ownDenial } from './combine.ts';
import { Intersections } from './intersection.ts';
import { type Evaluation, MACHINE_LIMITS, type MachineLimits, PolicyMachine } from './machine.ts';
import type { StageName } from './packages.ts';
import { projected } from './projection.ts';
import { Wasm, type WasmModule } from './wasm-api.ts';

/** One cold judgement in this many is made on the whole request as well: the second line behind the analysis of reads. */
const CHECKED_ONE_IN = 64;
/** Of the texts that policies answered, in characters. */
const ANSWERS_LENGTH_MAX = 8 * 1024 * 1024;
const FAILURES_MAX = 256;
const FAILURES_LOGGED_ONE_IN = 100;
const FUEL_NEAR_MISS = 0.8;

const requestCheck: { Check(value: unknown): boolean } = Compile(DecisionRequest);
const accessCheck: { Check(value: unknown): boolean } = Compile(AccessRequestSchema);

export interface JudgeOptions {
  readonly log: Log;
  readonly limits?: MachineLimits;
  readonly checkedOneIn?: number;
}

/** The outcome of one evaluation, before it is remembered. */
export interface Judged {
  readonly combined: Combined;
  /** False where the same request could be answered otherwise the next time. */
  readonly lasting: boolean;
  readonly lengthOfAnswer: number;
}

export class Judge {
  readonly policies: CompiledPolicies;
  readonly #module: WasmModule;
  readonly #options: JudgeOptions;
  readonly #log: Log;
  readonly #live: PolicyMachine;
  /** Of its own: whatever a package in shadow does, it cannot disturb (E7). */
  readonly #shadow: PolicyMachine | null;
  readonly #checkedOneIn: number;
  readonly #fuelNear: number;
  /** The same answer is the same object: the journal stores it once. */
  readonly #answers = new Map<string, Combined>();
  #answersLength = 0;
  readonly #pairs = new Intersections();
  #approverSets: ApproverSets | null = null;
  readonly #failures = new Map<string, number>();
  #cold = 0;

  /** @throws Error when the module cannot be run */
  private constructor(policies: CompiledPolicies, module: WasmModule, options: JudgeOptions) {
    this.policies = policies;
    this.#module = module;
    this.#options = options;
    this.#log = options.log;
    const limits = options.limits ?? MACHINE_LIMITS;
    this.#live = new PolicyMachine(module, policies.data, limits);
    const shadow = Object.values(policies.stages).some((stage) => stage.shadow !== null);
    this.#shadow = shadow ? new PolicyMachine(module, policies.data, limits) : null;
    this.#fuelNear = limits.fuelUnits * FUEL_NEAR_MISS;
    this.#checkedOneIn = options.checkedOneIn ?? CHECKED_ONE_IN;
  }

  static async load(policies: CompiledPolicies, options: JudgeOptions): Promise<Judge> {
    return new Judge(policies, await Wasm.compile(policies.wasm), options);
  }

  /** The same policies over other data, for a dry run. @param data JSON text */
  withData(data: string): Judge {
    const documents = JSON.parse(data) as CompiledPolicies['documents'];
    return new Judge({ ...this.policies, data, documents, chains: chainsOf(documents['approval_chains']) }, this.#module, this.#options);
  }

  /** Whom `data.approvers.NAME` holds for a request for approval; null: there is no such set, or it did not answer. */
  approvers(name: string, input: ApproversInput): readonly NamedApprover[] | null {
    return this.#sets().ask(name, input);
  }

  /** Of its own: made when it is first needed. */
  #sets(): ApproverSets {
    return (this.#approverSets ??= new ApproverSets(this.policies, this.#module, this.#options));
  }

  get revision(): string {
    return this.policies.revision;
  }

  /**
   * @param input the projected request as JSON; null: project it here
   * @param whole the whole request; validated, because a field that is missing through a fault must not silence a deny
   */
  judge(stage: StageName, input: string | null, whole: () => DecisionRequest | AccessRequest, supportedObligations: readonly string[]): Judged {
    const request = whole();
    if (!isRequest(stage, request)) {
      this.#log.error({ stage }, 'a decision request is not of the contract’s form');
      return this.#refused('REQUEST_INVALID', 'the decision request is not of the contract’s form', false);
    }
    const compiled = this.policies.stages[stage];
    const text = input ?? projected(compiled.reads, request);
    if (mayBeIllFormed(text) && !wellFormed(request)) return this.#refused('REQUEST_INVALID', 'the decision request has ill-formed text', false);
    const evaluation = this.#evaluate(this.#live, compiled.live.entrypoint, text);
    if (!evaluation.ok) return this.#failed(evaluation, stage);
    const shadowText = this.#evaluateShadow(compiled, text);
    if (this.#cold++ % this.#checkedOneIn === 0 && !this.#sameOnWhole(compiled, evaluation.text, request)) {
      this.#log.error({ stage, revision: this.revision }, 'a judgement differs on the whole request: the analysis of reads missed something');
      return this.#refused('POLICY_UNAVAILABLE', 'the judgement could not be confirmed', false);
    }
    return this.#answer(stage, compiled, evaluation.text, shadowText, supportedObligations);
  }

  /**
   * Evaluates every entrypoint once, on nothing: a builtin that is missing shows now, not at the first statement (E1). Then what must be refused
   * whatever the policies are: a request that is none, and a judgement that has no fuel left.
   * @throws InterlockError POLICY_SELF_TEST
   */
  selfTest(): void {
    if (isRequest('request', { stage: 'request' })) throw new InterlockError('POLICY_SELF_TEST', 'half a decision request was taken for one');
    for (const compiled of Object.values(this.policies.stages)) {
      const live = this.#evaluate(this.#live, compiled.live.entrypoint, '{}');
      const problem = live.ok ? answersOf(live.text, compiled.live.slots, false) : live.detail;
      if (typeof problem === 'string')
        throw new InterlockError('POLICY_SELF_TEST', `${compiled.live.entrypoint} does not answer an empty request: ${problem}`);
    }
    const silent = this.policies.approverSets.size === 0 ? null : this.#sets().selfTest();
    if (silent !== null) throw new InterlockError('POLICY_SELF_TEST', silent);
    const spent = this.#evaluate(
      new PolicyMachine(this.#module, this.policies.data, { ...MACHINE_LIMITS, fuelUnits: 0 }),
      this.policies.stages.request.live.entrypoint,
      '{}',
    );
    if (spent.ok || spent.code !== 'BUDGET_POLICY') throw new InterlockError('POLICY_SELF_TEST', 'a judgement without fuel was not stopped');
  }

  /** What both may do: an agent and the human behind it. The same object for the same two. */
  both(own: Combined, human: Combined, supportedObligations: readonly string[]): Combined {
    return this.#pairs.of(own, human, this.combining(supportedObligations));
  }

  /** What answers are put together by. */
  combining(supportedObligations: readonly string[]): CombineContext {
    return { revision: this.revision, supportedObligations, chains: this.policies.chains };
  }

  #evaluate(machine: PolicyMachine, entrypoint: string, text: string): Evaluation {
    const index = Object.hasOwn(machine.entrypoints, entrypoint) ? machine.entrypoints[entrypoint] : undefined;
    if (index === undefined) return { ok: false, code: 'POLICY_UNAVAILABLE', detail: `the policy has no entrypoint ${entrypoint}` };
    const evaluation = machine.evaluate(index, text);
    if (evaluation.ok && evaluation.fuelUnits > this.#fuelNear) {
      this.#logOften('near', () => this.#log.warn({ entrypoint, units: evaluation.fuelUnits }, 'a judgement came near the end of its fuel'));
    }
    return evaluation;
  }

  #evaluateShadow(compiled: CompiledStage, text: string): string {
    if (!compiled.shadow || !this.#shadow) return '';
    const evaluation = this.#evaluate(this.#shadow, compiled.shadow.entrypoint, text);
    if (evaluation.ok) return evaluation.text;
    const { code, detail } = evaluation;
    this.#logOften(`shadow ${code} ${detail}`, () => this.#log.warn({ code, detail }, 'a policy in shadow could not be evaluated; it has no effect'));
    return '';
  }

  #answer(stage: StageName, compiled: CompiledStage, live: string, shadow: string, supported: readonly string[]): Judged {
    const lengthOfAnswer = live.length + shadow.length;
    const key = `${stage}\n${supported.join()}\n${live}\n${shadow}`;
    const known = this.#answers.get(key);
    if (known) return { combined: known, lasting: true, lengthOfAnswer: 0 };
    const answers = answersOf(live, compiled.live.slots, false);
    if (typeof answers === 'string') {
      this.#log.error({ stage, revision: this.revision, detail: answers }, 'a policy answered something that is not of the contract’s form');
      return this.#refused('POLICY_RESULT', 'a policy answered something that is not of the contract’s form', true);
    }
    const inShadow = shadow === '' || !compiled.shadow ? [] : answersOf(shadow, compiled.shadow.slots, true);
    if (typeof inShadow === 'string')
      this.#log.warn({ detail: inShadow }, 'a policy in shadow answered something that is not of the contract’s form');
    const all = [...answers, ...(typeof inShadow === 'string' ? [] : inShadow)];
    const combined = combine(all, { revision: this.revision, supportedObligations: supported, chains: this.policies.chains });
    this.#remember(key, combined);
    return { combined, lasting: true, lengthOfAnswer };
  }

  #remember(key: string, combined: Combined): void {
    this.#answersLength += key.length;
    if (this.#answersLength > ANSWERS_LENGTH_MAX) {
      this.#answers.clear();
      this.#answersLength = key.length;
    }
    this.#answers.set(key, combined);
  }

  #failed({ code, detail }: Evaluation & { ok: false }, stage: StageName): Judged {
    this.#logOften(`${code} ${detail}`, (count) =>
      this.#log.error({ code, detail, stage, count, revision: this.revision }, 'a policy could not be evaluated; its statement is refused'),
    );
    // the same input would burn the same fuel again; what depends on this process would not repeat
    return this.#refused(code, REFUSAL_REASONS[code] ?? 'the policies could not be evaluated', code !== 'POLICY_UNAVAILABLE');
  }

  /** Whoever can provoke one line can provoke thousands: the first of a kind, then one for every hundred. */
  #logOften(kind: string, log: (count: number) => void): void {
    const count = (this.#failures.get(kind) ?? 0) + 1;
    if (this.#failures.size >= FAILURES_MAX) this.#failures.clear();
    this.#failures.set(kind, count);
    if (count % FAILURES_LOGGED_ONE_IN === 1) log(count);
  }

  #refused(code: ErrorCode, reason: string, lasting: boolean): Judged {
    return {
      combined: { judgement: ownDenial(code, reason, this.revision), approved: null, mask: null, masks: [], answers: [] },
      lasting,
      lengthOfAnswer: reason.length,
    };
  }

  #sameOnWhole(compiled: CompiledStage, answer: string, request: DecisionRequest | AccessRequest): boolean {
    const evaluation = this.#evaluate(this.#live, compiled.live.entrypoint, JSON.stringify(request));
    return evaluation.ok && (evaluation.text === answer || orderless(evaluation.text) === orderless(answer));
  }
}

/** Of the contract's form, and with the facts that its stage needs: without them every denial over facts would be silent (E4). */
function isRequest(stage: StageName, request: object): boolean {
  if (stage === 'access') return accessCheck.Check(request);
  return (
    requestCheck.Check(request) &&
    factsIn(request as DecisionRequest) === (stage === 'request' ? 1 : 0) &&
    (request as DecisionRequest).stage === stage
  );
}

function factsIn({ sql, http, mcp }: DecisionRequest): number {
  return [sql, http, mcp].filter((facts) => facts !== undefined).length;
}

const REFUSAL_REASONS: Partial<Readonly<Record<ErrorCode, string>>> = {
  BUDGET_POLICY: 'a policy ran past its fuel',
  BUDGET_POLICY_MEMORY: 'a policy needed more memory than its cap',
  POLICY_CONFLICT: 'a policy aborted: two rules give different values for one thing',
};
