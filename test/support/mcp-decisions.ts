/** Our DecisionService interface for MCP, small: real facts, and rules that a test writes as functions. */
import { createHash } from 'node:crypto';
import { systemClock, timestamp } from '#client/clock';
import type { Decided, DecisionService, DecisionSession, Moment, SessionScope, Statement } from '#client/decision-service';
import { Ids } from '#client/ids';
import { McpReader } from '#engine/facts/mcp/reader';
import { PostgresFacts } from '#engine/facts/postgres/reader';
import type { Decision, Judgement, Mask, Requirement } from '#schemas/decision';
import { isMcp } from '#schemas/facts';
import type { Knowledge, McpCatalog } from '#schemas/knowledge';
import type { McpFacts } from '#schemas/mcp-facts';

export type McpAnswer =
  | { readonly effect: 'allow' }
  | { readonly effect: 'deny'; readonly code: string; readonly reason: string; readonly hint?: string }
  | { readonly effect: 'require_approval'; readonly requirement: Requirement }
  | { readonly effect: 'mask'; readonly paths: Readonly<Record<string, Mask>> };

export type McpRule = (asked: { readonly facts: McpFacts; readonly moment: Moment; readonly scope: SessionScope }) => McpAnswer;

const REVISION = `sha256:${'b'.repeat(64)}` as const;

export class McpDecisions implements DecisionService {
  readonly revision = REVISION;
  readonly masksPossible = false;
  catalog: McpCatalog | null = null;
  rule: McpRule;
  opening: McpAnswer = { effect: 'allow' };
  /** Facts in the order in which they were judged. */
  readonly judged: McpFacts[] = [];
  readonly #sql = new PostgresFacts({ majors: [17] });
  readonly #reader = new McpReader({ read: (text, context) => this.#sql.read(text, context), catalogOf: () => null });
  readonly #ids = new Ids(systemClock);
  readonly #judgements = new Map<string, Judgement>();

  constructor(rule: McpRule = () => ({ effect: 'allow' })) {
    this.rule = rule;
  }

  learn(_target: string, knowledge: Knowledge): void {
    if ('kind' in knowledge && knowledge.kind === 'mcp') this.catalog = knowledge;
  }

  openSession(scope: SessionScope): DecisionSession {
    return {
      opening: this.#decision(this.#judgement(this.opening), new Uint8Array()),
      read: (text) => this.#read(text, scope),
      decide: (statement, moment) => this.#decide(statement, moment, scope),
      close: () => {},
    };
  }

  async #read(text: Uint8Array, scope: SessionScope): Promise<Statement> {
    return { text, facts: await this.#reader.read(text, { target: scope.resource.id, knowledge: this.catalog }), readsParams: false };
  }

  #decide(statement: Statement, moment: Moment, scope: SessionScope): Decided {
    const { facts, text } = statement;
    if (!isMcp(facts)) throw new TypeError('not of MCP');
    this.judged.push(facts);
    const answer: McpAnswer = facts.parsed
      ? this.rule({ facts, moment, scope })
      : { effect: 'deny', code: 'UNPARSED', reason: facts.opaque[0]?.detail ?? 'not parsed' };
    const judgement = this.#judgement(answer);
    return { decision: this.#decision(judgement, text), judgement, rewrite: null, cached: false, judgedUs: 1 };
  }

  #judgement(answer: McpAnswer): Judgement {
    const key = JSON.stringify(answer);
    let known = this.#judgements.get(key);
    if (!known) this.#judgements.set(key, (known = judgementOf(answer)));
    return known;
  }

  #decision(judgement: Judgement, text: Uint8Array): Decision {
    const payload = `sha256:${createHash('sha256').update(text).digest('hex')}`;
    const expires_at = timestamp(systemClock.wallUs() + 5_000_000);
    return { ...judgement, decision_id: this.#ids.next('dec'), binding: { payload, context: REVISION, expires_at } };
  }
}

function judgementOf(answer: McpAnswer): Judgement {
  const base = { obligations: [], approval: null, revision: REVISION, shadow: [] };
  switch (answer.effect) {
    case 'allow':
      return { ...base, effect: 'allow', reasons: [{ policy: 'test.rules', code: 'OK', reason: 'allowed', effect: 'allow' }] };
    case 'deny': {
      const hint = answer.hint === undefined ? {} : { hint: answer.hint };
      return { ...base, effect: 'deny', reasons: [{ policy: 'test.rules', code: answer.code, reason: answer.reason, effect: 'deny', ...hint }] };
    }
    case 'require_approval':
      return {
        ...base,
        effect: 'require_approval',
        approval: answer.requirement,
        reasons: [{ policy: 'test.rules', code: 'NEEDS_A_HUMAN', reason: 'needs a human', effect: 'require_approval' }],
      };
    case 'mask': {
      const properties = { columns: {}, paths: { ...answer.paths }, detectors: [] };
      return {
        ...base,
        effect: 'mask',
        obligations: [{ id: 'obl_mask', type: 'mask', properties }],
        reasons: [{ policy: 'test.rules', code: 'PII', reason: 'masked', effect: 'mask' }],
      };
    }
  }
}
