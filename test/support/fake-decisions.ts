/** Our DecisionService interface, small: real facts, and rules that a test writes as functions. No policies, no cache but by identity. */
import { createHash } from 'node:crypto';
import type { Decided, DecisionService, DecisionSession, Moment, Rewrite, SessionScope, Statement } from '#client/decision-service';
import { systemClock, timestamp } from '#client/clock';
import { Ids } from '#client/ids';
import { Parser, type ParserMajor } from '#engine/facts/postgres/parser';
import { readText } from '#engine/facts/postgres/read-text';
import { sqlOf } from '#schemas/facts';
import type { Catalog } from '#schemas/catalog';
import type { Decision, Judgement, Requirement } from '#schemas/decision';
import type { SqlFacts } from '#schemas/sql-facts';

export type Answer =
  | { readonly effect: 'allow' }
  | { readonly effect: 'deny'; readonly code: string; readonly reason: string; readonly hint?: string }
  | { readonly effect: 'require_approval'; readonly requirement: Requirement }
  | { readonly effect: 'mask'; readonly rewrite: Rewrite };

/** What a test says of each statement; `text` is what was sent. */
export type Rule = (statement: { readonly text: string; readonly facts: SqlFacts; readonly moment: Moment; readonly scope: SessionScope }) => Answer;

export const ALLOW: Answer = { effect: 'allow' };
const REVISION = `sha256:${'a'.repeat(64)}`;

export class FakeDecisions implements DecisionService {
  revision = REVISION;
  masksPossible = false;
  readonly learned: Catalog[] = [];
  readonly scopes: SessionScope[] = [];
  readonly moments: Moment[] = [];
  /** Texts in the order in which they were judged. */
  readonly texts: string[] = [];
  opening: Answer = ALLOW;
  rule: Rule;
  readonly #parser: Parser;
  readonly #ids: Ids = new Ids(systemClock);
  readonly #judgements: Map<string, Judgement> = new Map();

  private constructor(parser: Parser, rule: Rule) {
    this.#parser = parser;
    this.rule = rule;
  }

  static async open(major: ParserMajor, rule: Rule = () => ALLOW): Promise<FakeDecisions> {
    return new FakeDecisions(await Parser.open(major), rule);
  }

  learn(_target: string, catalog: Catalog): void {
    this.learned.push(catalog);
  }

  openSession(scope: SessionScope): DecisionSession {
    this.scopes.push(scope);
    return {
      opening: this.#decision(this.#judgement(this.opening), new Uint8Array()),
      read: (text, settings) => this.#read(text, settings, scope),
      decide: (statement, moment) => this.#decide(statement, moment, scope),
      close: () => {},
    };
  }

  #read(text: Uint8Array, settings: Readonly<Record<string, string>>, scope: SessionScope): Statement {
    const database = scope.resource.properties.database ?? '';
    const facts = readText(this.#parser, text, { major: this.#parser.major, database, settings, catalog: this.learned.at(-1) ?? null });
    if (facts === null) throw new Error('no parser');
    return { text, facts, readsParams: true };
  }

  #decide(statement: Statement, moment: Moment, scope: SessionScope): Decided {
    this.moments.push(moment);
    this.texts.push(Buffer.from(statement.text).toString());
    const facts = sqlOf(statement.facts);
    const answer: Answer = facts.parsed
      ? this.rule({ text: Buffer.from(statement.text).toString(), facts, moment, scope })
      : { effect: 'deny', code: 'UNPARSED', reason: facts.opaque[0]?.detail ?? 'not parsed' };
    const judgement = this.#judgement(answer);
    const rewrite = answer.effect === 'mask' ? answer.rewrite : null;
    return { decision: this.#decision(judgement, statement.text), judgement, rewrite, cached: false, judgedUs: 1 };
  }

  #judgement(answer: Answer): Judgement {
    const key = JSON.stringify(answer);
    const known = this.#judgements.get(key);
    if (known) return known;
    const policy = answer.effect === 'deny' && answer.code === 'UNPARSED' ? 'interlock' : 'policies.test.rule';
    const code = answer.effect === 'deny' ? answer.code : answer.effect.toUpperCase();
    const reason = answer.effect === 'deny' ? answer.reason : `${answer.effect} by the test`;
    const hint = answer.effect === 'deny' && answer.hint !== undefined ? { hint: answer.hint } : {};
    const judgement: Judgement = {
      effect: answer.effect,
      reasons: [{ policy, code, reason, effect: answer.effect, ...hint }],
      obligations: [],
      approval: answer.effect === 'require_approval' ? answer.requirement : null,
      revision: this.revision,
      shadow: [],
    };
    this.#judgements.set(key, judgement);
    return judgement;
  }

  #decision(judgement: Judgement, text: Uint8Array): Decision {
    const payload = `sha256:${createHash('sha256').update(text).digest('hex')}`;
    const expires_at = timestamp(systemClock.wallUs() + 5e6);
    return { decision_id: this.#ids.next('dec'), ...judgement, binding: { payload, context: REVISION, expires_at } };
  }
}
