/**
 * What a request does, in one plain sentence that a careful DBA would say. The text is read once more here, apart from the parser; where that
 * reading and the facts agree, the sentence has names, values and conditions, and nothing of the statement is left out of it. Where they do
 * not, it says what the facts say and quotes the text. A mistake of this reading alone cannot make a sentence untrue.
 */
import { createHash } from 'node:crypto';
import type { ApprovalDraft } from '#client/approvals';
import { isHttp, isSql } from '#schemas/facts';
import type { Effect, SqlFacts, SqlStatement } from '#schemas/sql-facts';
import { grouped } from '#client/shown';
import { paramWords } from './sentence/params.ts';
import { requestSaid } from './sentence/request.ts';
import { Scene } from './sentence/scene.ts';
import { callsSaid, clause, insideOf, listed, reached, rest, settings, STATEMENTS_MAX, summarise, unseen } from './sentence/summary.ts';
import { told } from './sentence/tell.ts';
import { toolSaid } from './sentence/tool.ts';
import { code, type Word, wordsOf, type Writing } from './sentence/words.ts';

export { summarise } from './sentence/summary.ts';
export { withoutLiterals } from './sentence/words.ts';

export const SENTENCE_CHARS_MAX = 2_000;
/** Of a longer one only the facts are told: this is made where everything else waits. */
const QUOTED_BYTES_MAX = 64 * 1024;

export type SentenceDraft = Pick<ApprovalDraft, 'facts' | 'payload' | 'params' | 'transaction' | 'objects' | 'estimate'>;

export interface SentenceOptions {
  /** false where payloads are not kept in clear: the sentence stands in the record and in messages. */
  readonly literals: boolean;
  /** Of the text and its parameters: two that are cut have two sentences. In a record it is the salted one; a plain one lives in memory only. */
  readonly digest: string;
}

export function sentenceOf(draft: SentenceDraft, { literals, digest }: SentenceOptions = inMemory(draft)): string {
  const said = saidOf(draft, literals);
  return CUT.test(said) ? `${said} (digest ${digest})` : said;
}

/** What `literal`, `code` and `statementSaid` say of what they leave out. */
const CUT = /…' \([\d,]+ characters\)|… \([\d,]+ more characters\)|is too long to be quoted here/;

function inMemory({ payload, params }: SentenceDraft): SentenceOptions {
  const hash = createHash('sha256').update(payload.bytes);
  if (params) hash.update(params.bytes);
  return { literals: true, digest: hash.digest('hex').slice(0, 12) };
}

function saidOf(draft: SentenceDraft, literals: boolean): string {
  const { facts } = draft;
  if (isSql(facts)) return whole({ ...draft, facts }, literals);
  return bounded(isHttp(facts) ? requestSaid(facts, literals) : toolSaid(facts, literals), SENTENCE_CHARS_MAX);
}

type SqlDraft = SentenceDraft & { readonly facts: SqlFacts };

function whole(draft: SqlDraft, literals: boolean): string {
  const { facts } = draft;
  const sent = facts.statements.filter((statement) => statement.parent === null);
  if (!facts.parsed || sent.length === 0) return bounded(summarise(facts, literals), SENTENCE_CHARS_MAX);
  const writing: Writing = { params: paramWords(draft.params), literals };
  const rows = sent.length === 1 && draft.estimate?.state === 'ok' ? (draft.estimate.rows ?? null) : null;
  const said = sent.slice(0, STATEMENTS_MAX).map((statement) => statementSaid(draft, statement, rows, writing));
  const more = rest(sent.slice(STATEMENTS_MAX), facts);
  const tail = [...more, ...sessionSaid(facts, sent, literals), ...before(draft)].map((one) => bounded(one, SENTENCE_CHARS_MAX / 4));
  const left = SENTENCE_CHARS_MAX - tail.join('; ').length - 200;
  const share = Math.floor(left / said.length);
  const clauses = said.map((one, index) => `${sent.length === 1 ? '' : `${index + 1}. `}${bounded(one, share)}`);
  return `${head(facts, sent.length, literals)}${[...clauses, ...tail].join('; ')}`;
}

/** What would warn comes first. */
function head(facts: SqlFacts, count: number, literals: boolean): string {
  const hidden = facts.opaque.length > 0 ? bounded(`a part cannot be seen (${listed(facts.opaque.map((one) => unseen(one, literals)))})`, 180) : '';
  if (count === 1) return hidden === '' ? '' : `${hidden}: `;
  return `${grouped(count)} statements${hidden === '' ? '' : `, of which ${hidden}`}: `;
}

function statementSaid({ facts, payload }: SqlDraft, statement: SqlStatement, rows: number | null, writing: Writing): string {
  const bytes = payload.bytes.subarray(statement.span.start, statement.span.end);
  if (bytes.length > QUOTED_BYTES_MAX) return `${clause(statement, facts)}: its text of ${grouped(bytes.length)} bytes is too long to be quoted here`;
  const words = wordsOf(bytes);
  const scene = new Scene(facts, statement, words[0]?.text === 'with' ? null : rows);
  const inside = insideOf(statement, facts);
  const said = inside.size > 1 ? null : told(words, scene, writing);
  if (said === null) return `${clause(statement, facts)}: ${code(masked(words), writing)}`;
  return [said, ...beside(facts, statement), ...scene.elsewhere(words)].join('; ');
}

/** What happens because of it, and is not written in it. */
function beside(facts: SqlFacts, statement: SqlStatement): readonly string[] {
  const own = facts.effects.filter((effect) => effect.statement === statement.index);
  const calls = callsSaid(statement);
  const named = new Set(statement.functions.map((use) => use.name));
  const executes = own.filter((effect) => effect.verb === 'execute' && effect.via.length === 0 && !named.has(effect.object.qualified));
  return [
    ...(calls.length === 0 ? [] : [`calls ${listed(calls)}`]),
    ...reached(executes),
    ...reached(own.filter(isIndirect)).map((one) => `so also ${one}`),
  ];
}

function isIndirect(effect: Effect): boolean {
  return effect.via.length > 0;
}

/** The text of what creates a role may hold its password. */
function masked(words: readonly Word[]): readonly Word[] {
  return words.map((word, index) => (words[index - 1]?.text === 'password' && word.text.includes("'") ? { ...word, text: "'?'" } : word));
}

/** A statement that sets something was told; what is set otherwise was not. */
function sessionSaid(facts: SqlFacts, sent: readonly SqlStatement[], literals: boolean): readonly string[] {
  const setting = sent.filter(({ kind, class: of }) => of === 'session' || SETS_FOR_LATER.has(kind)).length;
  return setting >= facts.session.length ? [] : settings(facts.session, literals);
}

const SETS_FOR_LATER: ReadonlySet<SqlStatement['kind']> = new Set(['alter_system', 'alter_role_set', 'alter_database_set']);

function before({ transaction, objects }: SentenceDraft): readonly string[] {
  if (transaction !== 'open') return [];
  const count = objects.filter((object) => /^\d+ before it: /.test(object)).length;
  return [count === 0 ? 'its transaction did other work before' : `before it, its transaction ran ${count} other statement${count === 1 ? '' : 's'}`];
}

/** A reader must not take a part of the sentence for the whole. */
function bounded(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text;
  const note = ` … (cut: ${grouped(text.length)} characters in all)`;
  const kept = text.slice(0, Math.max(0, charsMax - note.length - 1));
  // a string that is cut ends here: what follows is no part of it
  return `${kept}${kept.split("'").length % 2 === 0 ? "'" : ''}${note}`;
}
