/** One client session as the decision service sees it: text → facts → judgement → decision (DESIGN §1, §4). */
import type { Catalog } from '#schemas/catalog';
import type { Decision, Judgement, MaskObligation } from '#schemas/decision';
import type { DecisionRequest } from '#schemas/decision-request';
import { isSql } from '#schemas/facts';
import type { Param } from '#schemas/sql-facts';
import { type Clock, timestamp } from '#client/clock';
import type { Decided, DecisionSession, Moment, Rewrite, SessionScope } from '#client/decision-service';
import type { Ids } from '#client/ids';
import type { Log } from '#client/log';
import { Binder } from './bind.ts';
import { type Combined, ownDenial } from './combine.ts';
import type { InForce } from './in-force.ts';
import { foreignTarget, humanBehind } from './intersection.ts';
import type { Part, StatementPart } from './judgement-cache.ts';
import { maskedForm, pruned, withFields } from './masking.ts';
import {
  denied,
  inDatabase,
  nestedIn,
  type NestedJudged,
  type NestedStatement,
  rewrittenCall,
  unchanged,
  unknownTarget,
  unmaskable,
  withNested,
  withoutMasks,
} from './nested.ts';
import type { FactsReader, MaskRewriter, ReadContext } from './ports.ts';
import { Openings } from './opening.ts';
import { inputText, sessionText, statementText, wholeRequest } from './request.ts';
import { type MaskedForm, ReadStatement } from './statement.ts';
import { refusalOf } from './unparsed.ts';

/** What a session needs of the service. */
export interface SessionHost {
  readonly facts: FactsReader;
  readonly masks: MaskRewriter;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** null: none, or older than its maximum age. */
  inForce(nowUs: number): InForce | null;
  /** Of the last revision, whether or not it may still judge. */
  readonly revision: string;
  /** Another number after each reading of a catalog. */
  generation(): number;
  contextOf(scope: SessionScope, settings: Readonly<Record<string, string>>): ReadContext;
  /** Of a target's first database; null: none was read. */
  catalogOf(target: string): Catalog | null;
  statement(text: Uint8Array, facts: ReadStatement['facts'], context: ReadContext): ReadStatement;
}

interface Found {
  readonly combined: Combined;
  readonly cached: boolean;
}

export class LocalSession implements DecisionSession {
  readonly opening: Decision;
  readonly #host: SessionHost;
  readonly #scope: SessionScope;
  readonly #opening: Judgement;
  readonly #binder: Binder;
  /** Of an agent: the human behind it, who is judged too. */
  readonly #human: LocalSession | null;
  readonly #openings = new Openings();
  #part: { readonly epoch: object; readonly part: Part } | null = null;
  /** The context of the last text: most have the same settings. */
  #last: { readonly settings: object; readonly generation: number; readonly context: ReadContext } | null = null;

  constructor(host: SessionHost, scope: SessionScope, opening: Judgement) {
    this.#host = host;
    this.#scope = scope;
    this.#opening = opening;
    this.#binder = new Binder(host.ids, scope);
    const human = humanBehind(scope.subject);
    this.#human = human === null ? null : new LocalSession(host, { ...scope, subject: human }, opening);
    this.opening = this.#binder.bindSession(opening, host.clock.wallUs());
  }

  read(text: Uint8Array, settings: Readonly<Record<string, string>>): ReadStatement | Promise<ReadStatement> {
    const context = this.#context(settings);
    const facts = this.#host.facts.read(text, context);
    return facts instanceof Promise ? facts.then((done) => this.#host.statement(text, done, context)) : this.#host.statement(text, facts, context);
  }

  decide(statement: ReadStatement, moment: Moment): Decided | Promise<Decided> {
    const startedUs = this.#host.clock.monotonicUs();
    const force = this.#host.inForce(startedUs);
    if (!force) return this.#bind(tooOld(this.#host.revision), statement, moment, null, false, startedUs);
    const refusal = foreignTarget(this.#scope, force.judge.revision) ?? ownRefusal(statement, force);
    if (refusal) return this.#bind(refusal, statement, moment, null, true, startedUs);
    const found = this.#judge(force, statement, moment);
    const nested = nestedIn(statement.facts, statement.context);
    if (nested.length === 0) return this.#decided(force, found, statement, moment, startedUs);
    const whole = this.#withNested(force, found.combined, nested, moment);
    const decided = (both: NestedJudged): Decided | Promise<Decided> => this.#decidedCall(force, found, both, statement, moment, startedUs);
    return whole instanceof Promise ? whole.then(decided) : decided(whole);
  }

  /** Invariant 1: a call whose statements are masked leaves as it was read and judged again. */
  #decidedCall(
    force: InForce,
    call: Found,
    whole: NestedJudged,
    statement: ReadStatement,
    moment: Moment,
    startedUs: number,
  ): Decided | Promise<Decided> {
    const { combined, forms } = whole;
    const found = { combined, cached: call.cached };
    const { mask } = combined;
    // what the call itself asks to be masked by column is no statement's, and is refused
    if (forms.length === 0 || mask === null || call.combined.mask !== null || combined.judgement.effect === 'deny')
      return this.#decided(force, found, statement, moment, startedUs);
    const rewrite = rewrittenCall(statement.text, forms);
    const finish = (facts: ReadStatement['facts']): Decided => {
      const form = { ok: true, rewrite, statement: this.#host.statement(rewrite.text, facts, statement.context) } as const;
      const made = this.#masked(form, { combined, judgement: withApproval(combined, moment), mask }, force, moment);
      return this.#bind(made.judgement, statement, moment, made.rewrite, call.cached, startedUs);
    };
    const read = this.#host.facts.read(rewrite.text, statement.context);
    return read instanceof Promise ? read.then(finish) : finish(read);
  }

  #decided(force: InForce, { combined, cached }: Found, statement: ReadStatement, moment: Moment, startedUs: number): Decided | Promise<Decided> {
    const judgement = withApproval(combined, moment);
    const { mask } = combined;
    if (!mask) return this.#bind(judgement, statement, moment, null, cached, startedUs);
    if (!isSql(statement.facts)) return this.#bind(withFields(statement.facts, judgement, combined), statement, moment, null, cached, startedUs);
    const finish = (form: MaskedForm): Decided => {
      const { judgement: final, rewrite } = this.#masked(form, { combined, judgement, mask }, force, moment);
      return this.#bind(final, statement, moment, rewrite, cached, startedUs);
    };
    const form = maskedForm(statement, mask.properties.columns, this.#host);
    if (!(form instanceof Promise)) return finish(form);
    return form.then(finish, (error: unknown) => {
      // a fault of ours: refused, never passed without its masks
      this.#host.log.error({ error: String(error) }, 'masks could not be applied; the statement is refused');
      const denial = ownDenial('MASK_IMPOSSIBLE', 'its masks could not be applied', force.judge.revision);
      return this.#bind(denial, statement, moment, null, false, startedUs);
    });
  }

  /** A call with the statements that stand in its arguments. */
  #withNested(force: InForce, call: Combined, nested: readonly NestedStatement[], moment: Moment): NestedJudged | Promise<NestedJudged> {
    const combining = force.judge.combining(this.#scope.supportedObligations);
    return nested.reduce<NestedJudged | Promise<NestedJudged>>((so, one) => {
      const judged = this.#judgeNested(force, one, moment);
      return so instanceof Promise || judged instanceof Promise
        ? Promise.all([so, judged]).then(([before, found]) => withNested(before, one.argument, found, combining))
        : withNested(so, one.argument, judged, combining);
    }, unchanged(call));
  }

  #judgeNested(force: InForce, nested: NestedStatement, { statementId, usage }: Moment): NestedJudged | Promise<NestedJudged> {
    const { argument, resource, facts, text } = nested;
    const combining = force.judge.combining(this.#scope.supportedObligations);
    if (resource === null) return unknownTarget(combining);
    const at = inDatabase(resource, this.#host.catalogOf(resource.id));
    const session = new LocalSession(this.#host, { ...this.#scope, resource: at }, this.#opening);
    const statement = this.#host.statement(text, facts, session.#context(NESTED_SETTINGS));
    const refusal = foreignTarget(session.#scope, force.judge.revision) ?? ownRefusal(statement, force);
    if (refusal !== null) return denied(refusal);
    const opening = this.#openings.of(force, session.#scope, timestamp(this.#host.clock.wallUs()));
    if (opening.effect === 'deny') return denied(opening);
    const base: Moment = { action: 'sql.execute', statementId, transaction: 'idle', settings: NESTED_SETTINGS, params: null };
    const asked = usage === undefined ? base : { ...base, usage };
    const { combined } = session.#judge(force, statement, asked);
    const { mask, judgement } = combined;
    if (mask === null || judgement.effect === 'deny') return unchanged(combined);
    const masked = (form: MaskedForm): NestedJudged => {
      if (!form.ok) return unmaskable(form, combining);
      if (form.rewrite.masked.length === 0) return unchanged(withoutMasks(combined, combining));
      const made = session.#masked(form, { combined, judgement, mask }, force, asked);
      return made.rewrite === null ? denied(made.judgement) : { combined, forms: [{ argument, rewrite: made.rewrite }] };
    };
    const form = maskedForm(statement, mask.properties.columns, this.#host);
    return form instanceof Promise ? form.then(masked, () => unmaskable(null, combining)) : masked(form);
  }

  close(): void {
    this.#part = null;
    this.#human?.close();
  }

  /** The whole request, for `interlock decide`. */
  request(statement: ReadStatement, moment: Moment): DecisionRequest {
    return wholeRequest(this.#scope, moment, statement, this.#params(statement, moment), timestamp(this.#host.clock.wallUs()));
  }

  /** The enforcer knows values and types; only the facts know where a value goes. */
  #params(statement: ReadStatement, moment: Moment): readonly Param[] {
    const params = moment.params?.() ?? [];
    const flowing = params.length === 0 ? undefined : this.#host.facts.paramsThatFlowToCode?.(statement.facts);
    return flowing === undefined || flowing.size === 0
      ? params
      : params.map((param) => (flowing.has(param.index) ? { ...param, flows_to_code: true } : param));
  }

  #context(settings: Readonly<Record<string, string>>): ReadContext {
    const generation = this.#host.generation();
    if (this.#last?.settings !== settings || this.#last.generation !== generation) {
      this.#last = { settings, generation, context: this.#host.contextOf(this.#scope, settings) };
    }
    return this.#last.context;
  }

  /** What an agent did lately counts for itself alone. */
  #judge(force: InForce, statement: ReadStatement, moment: Moment): Found {
    const own = this.#judgeOwn(force, statement, moment);
    if (this.#human === null) return own;
    const { usage: _, ...plain } = moment;
    const human = this.#human.#judgeOwn(force, statement, plain);
    return { combined: force.judge.both(own.combined, human.combined, this.#scope.supportedObligations), cached: own.cached && human.cached };
  }

  /** A hit is three remembered parts and one look-up. */
  #judgeOwn(force: InForce, statement: ReadStatement, moment: Moment): Found {
    const { cache } = force;
    const readsParams = force.readsParams && moment.params !== null;
    const counts = moment.usage !== undefined && force.readsUsage;
    if (force.cacheable && !counts && !readsParams && this.#part?.epoch === cache.epoch && statement.part?.epoch === cache.epoch) {
      const known = force.knownMoment(moment);
      const combined = known && cache.get(this.#part.part, known, statement.part.part);
      if (combined) return { combined, cached: true };
    }
    return this.#judgeAnew(force, statement, moment, readsParams ? this.#params(statement, moment) : []);
  }

  #judgeAnew(force: InForce, statement: ReadStatement, moment: Moment, params: readonly Param[]): Found {
    const { judge, cache } = force;
    const supported = this.#scope.supportedObligations;
    const whole = (): DecisionRequest => wholeRequest(this.#scope, moment, statement, params, timestamp(this.#host.clock.wallUs()));
    // what an agent did lately is another thing each time: it would only push out what others share
    if (!force.cacheable || (moment.usage !== undefined && force.readsUsage))
      return { combined: judge.judge('request', null, whole, supported).combined, cached: false };
    cache.makeRoom();
    const sessionPart = this.#sessionPart(force);
    const momentPart = force.moment(moment);
    const statementPart = partOf(statement, force, params);
    const known = cache.get(sessionPart, momentPart, statementPart);
    if (known) return { combined: known, cached: true };
    const { reads } = judge.policies.stages.request;
    const input = inputText(reads, sessionPart.text, momentPart.text, statementPart.text);
    const judged = judge.judge('request', input, whole, supported);
    if (judged.lasting) cache.put(sessionPart, momentPart, statementPart, judged.combined, judged.lengthOfAnswer);
    return { combined: judged.combined, cached: false };
  }

  #sessionPart(force: InForce): Part {
    const { epoch } = force.cache;
    if (this.#part?.epoch !== epoch) {
      const text = sessionText(force.judge.policies.stages.request.reads, this.#scope);
      this.#part = { epoch, part: force.cache.session(text) };
    }
    return this.#part.part;
  }

  /** Invariant 1: the rewritten text is judged again, as what it now is. */
  #masked(
    form: MaskedForm,
    asked: { readonly combined: Combined; readonly judgement: Judgement; readonly mask: MaskObligation },
    force: InForce,
    moment: Moment,
  ): { judgement: Judgement; rewrite: Rewrite | null } {
    const { revision } = force.judge;
    if (!form.ok) return { judgement: ownDenial(form.code, form.reason, revision, form.hint), rewrite: null };
    const judgement = pruned(form, asked.judgement, asked.combined);
    if (form.rewrite.masked.length === 0) return { judgement, rewrite: null };
    const refusal = ownRefusal(form.statement, force);
    if (refusal) return { judgement: maskedRefused(refusal), rewrite: null };
    const again = this.#judge(force, form.statement, moment).combined;
    if (again.judgement.effect === 'deny') return { judgement: again.judgement, rewrite: null };
    if (again.judgement.effect === 'require_approval' && !sameApprovals(again.judgement, asked.combined.judgement)) {
      return {
        judgement: ownDenial('MASK_IMPOSSIBLE', 'with its masks applied, this statement would need another approval', revision),
        rewrite: null,
      };
    }
    return { judgement, rewrite: form.rewrite };
  }

  #bind(judgement: Judgement, statement: ReadStatement, moment: Moment, rewrite: Rewrite | null, cached: boolean, startedUs: number): Decided {
    const decision = this.#binder.bind(judgement, statement, moment, rewrite, this.#host.clock.wallUs());
    return { decision, judgement, rewrite, cached, judgedUs: this.#host.clock.monotonicUs() - startedUs };
  }
}

/** As a session of PostgreSQL begins. */
const NESTED_SETTINGS: Readonly<Record<string, string>> = { search_path: '"$user", public' };

/** An approval counts only for exactly the requirement that it was given for. */
function withApproval({ judgement, approved }: Combined, moment: Moment): Judgement {
  const counts = moment.approval?.valid === true && approved !== null && moment.approval.requirement === judgement.approval?.digest;
  return counts ? approved : judgement;
}

function ownRefusal(statement: ReadStatement, force: InForce): Judgement | null {
  const { revision, policies } = force.judge;
  if (statement.refusal?.revision !== revision) {
    statement.refusal = { revision, judgement: refusalOf(statement.facts, policies.masksPossible, revision) };
  }
  return statement.refusal.judgement;
}

function partOf(statement: ReadStatement, force: InForce, params: readonly Param[]): StatementPart {
  const { reads } = force.judge.policies.stages.request;
  const { epoch } = force.cache;
  if (params.length > 0) return force.cache.statement(statementText(reads, statement, params));
  if (statement.part?.epoch !== epoch) statement.part = { epoch, part: force.cache.statement(statementText(reads, statement, params)) };
  return statement.part.part;
}

/** The masked form may ask for no approval that the original does not ask for. */
function sameApprovals(masked: Judgement, original: Judgement): boolean {
  const asked = new Set(original.reasons.filter((reason) => reason.effect === 'require_approval').map(({ policy, code }) => `${policy} ${code}`));
  return masked.reasons.every((reason) => reason.effect !== 'require_approval' || asked.has(`${reason.policy} ${reason.code}`));
}

function tooOld(revision: string): Judgement {
  return ownDenial('POLICY_UNAVAILABLE', 'no policy is in force, or it is older than its maximum age', revision);
}

function maskedRefused(refusal: Judgement): Judgement {
  const [reason] = refusal.reasons;
  return ownDenial('MASK_IMPOSSIBLE', `with its masks applied, this statement cannot be judged: ${reason?.reason ?? ''}`, refusal.revision);
}
