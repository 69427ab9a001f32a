/** A projection beside its journal, and what it must hold: read from the events one by one, without tables or an index. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Access, StatementQuery } from '#engine/journal/projection/projection';
import { Follower } from '#engine/journal/projection/follower';
import { wordsAsked, wordsOf } from '#engine/journal/projection/terms';
import { readJournal, readPayloads } from '#engine/journal/reader';
import type { Event, PayloadRef } from '#schemas/event';
import type { SqlFacts } from '#schemas/sql-facts';

export interface Folder extends Disposable {
  readonly dir: string;
}

export function folder(): Folder {
  const dir = mkdtempSync(join(tmpdir(), 'interlock-projection-'));
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) };
}

/** Follows to the end of what stands there, and lets go of the file. Answers why it was made anew, if it was. */
export async function caughtUp(file: string, dir: string, anew: 'asked' | null = null): Promise<string | null> {
  await using follower = new Follower({ file, dir });
  const why = await follower.open(anew);
  for (let done = false; !done; ) ({ done } = await follower.next(Number.MAX_SAFE_INTEGER));
  return why;
}

/** Everything that it holds, in words: numbers of shared texts are told apart by nobody. */
export function contents(file: string): Readonly<Record<string, readonly object[]>> {
  const database = new DatabaseSync(file, { readOnly: true });
  const all = (sql: string): object[] => database.prepare(sql).all();
  const label = (column: string): string => `(SELECT text FROM label WHERE label.id = ${column}) AS ${column}`;
  const terms = (table: string): object[] => {
    database.exec(`CREATE VIRTUAL TABLE temp.${table}_words USING fts5vocab(main, ${table}, 'instance')`);
    return all(`SELECT term, doc FROM ${table}_words ORDER BY term, doc`);
  };
  try {
    return {
      place: all('SELECT * FROM meta'),
      sessions: all('SELECT * FROM session ORDER BY id'),
      statements: all(
        `SELECT id, statement_id, session, time, ${label('action')}, (SELECT t.text FROM text AS t WHERE t.id = statement.text) AS text, effect, ${label('codes')}, ${label('touched')},
           outcome, refused, sqlstate, rows, bytes, duration_us, ${label('masked')}, approval_id FROM statement ORDER BY id`,
      ),
      approvals: all(`SELECT *, ${label('codes')} FROM approval ORDER BY id`).map((row) => ({ ...row })),
      asked: all('SELECT * FROM approval_asked ORDER BY approval, kind, name'),
      open: all('SELECT statement_id FROM open_statement ORDER BY statement_id'),
      blocks: [...all('SELECT * FROM statement_block ORDER BY block'), ...all('SELECT * FROM session_block ORDER BY block')],
      statement_terms: terms('statement_terms'),
      session_terms: terms('session_terms'),
    };
  } finally {
    database.close();
  }
}

/** One statement as the events tell it. */
export interface Told {
  readonly id: string;
  readonly session: string;
  readonly time: string;
  readonly subject: string;
  readonly behalf: string | null;
  readonly logins: readonly string[];
  readonly target: string;
  readonly action: string;
  readonly text: string | null;
  effect: string | null;
  readonly codes: string[];
  touched: readonly { readonly verb: string; readonly qualified: string; readonly name: string }[];
  outcome: string;
  refused: string | null;
  cleared: boolean;
  approval: string | null;
  asked: readonly string[];
}

/** Every statement of a journal, in order. */
export async function told(dir: string): Promise<readonly Told[]> {
  const events: Event[] = [];
  for await (const event of readJournal(dir)) events.push(event);
  const refs = events.flatMap((event): PayloadRef[] =>
    event.type === 'statement.received' ? [event.payload] : event.type === 'statement.decided' ? [event.facts] : [],
  );
  const clear = refs.filter(({ form }) => form === 'clear').map(({ digest }) => digest);
  const payloads = await readPayloads(dir, clear);
  const bytes = ({ digest, form }: PayloadRef): string | null => {
    const found = form === 'clear' ? payloads.get(digest) : undefined;
    return found === undefined ? null : Buffer.from(found).toString('utf8');
  };
  const sessions = new Map<string, Extract<Event, { type: 'session.opened' }>>();
  const statements = new Map<string, Told>();
  const asked = new Map<string, string[]>();
  for (const event of events) {
    const statement = statements.get(event.statement_id ?? '');
    if (event.type === 'journal.opened') {
      for (const one of statements.values()) if (!one.cleared && (one.outcome === 'running' || one.outcome === 'held')) one.outcome = 'aborted';
    } else if (event.type === 'session.opened') sessions.set(event.session_id ?? '', event);
    else if (event.type === 'approval.requested')
      asked.set(
        event.approval_id,
        event.requirement.stages.flatMap(({ any_of }) =>
          any_of.flatMap((one) => ('group' in one ? [`group ${one.group}`] : 'user' in one ? [`user ${one.user}`] : [])),
        ),
      );
    else if (event.type === 'statement.received') {
      const { subject_detail, resource } = sessions.get(event.session_id ?? '') ?? fail();
      const { login, on_behalf_of } = subject_detail.properties;
      statements.set(event.statement_id ?? '', {
        id: event.statement_id ?? '',
        session: event.session_id ?? '',
        time: event.time,
        subject: subject_detail.id,
        behalf: on_behalf_of?.id ?? null,
        logins: [login, ...(on_behalf_of === undefined ? [] : [on_behalf_of.login])],
        target: resource.id,
        action: event.action,
        text: bytes(event.payload),
        effect: null,
        codes: [],
        touched: [],
        outcome: 'running',
        refused: null,
        cleared: false,
        approval: null,
        asked: [],
      });
    } else if (statement !== undefined) apply(statement, event, bytes, asked);
  }
  return [...statements.values()];
}

function apply(statement: Told, event: Event, bytes: (ref: PayloadRef) => string | null, asked: ReadonlyMap<string, string[]>): void {
  if (event.type === 'statement.decided') {
    const facts = JSON.parse(bytes(event.facts) ?? '{"effects":[]}') as SqlFacts;
    statement.effect = event.decision.effect;
    for (const { code } of event.decision.reasons) if (!statement.codes.includes(code)) statement.codes.push(code);
    statement.touched = facts.effects.map(({ verb, object }) => ({ verb, qualified: object.qualified, name: object.name }));
  } else if (event.type === 'statement.held') {
    statement.outcome = 'held';
    statement.approval = event.approval_id;
    statement.asked = asked.get(event.approval_id) ?? [];
  } else if (event.type === 'statement.refused') {
    statement.outcome = 'refused';
    statement.refused = event.code;
  } else if (event.type === 'statement.cleared') {
    statement.outcome = 'running';
    statement.cleared = true;
    if (event.approval !== undefined) {
      statement.approval = event.approval.approval_id;
      statement.asked = asked.get(event.approval.approval_id) ?? [];
    }
  } else if (event.type === 'statement.finished')
    statement.outcome = event.outcome === 'ok' && statement.action === 'sql.prepare' ? 'prepared' : event.outcome;
}

export function maySee(statement: Told, access: Access): boolean {
  if (access.all) return true;
  if (access.subjects.includes(statement.subject) || (statement.behalf !== null && access.subjects.includes(statement.behalf))) return true;
  const { groups = [], users = [] } = access.asked ?? {};
  return groups.some((one) => statement.asked.includes(`group ${one}`)) || users.some((one) => statement.asked.includes(`user ${one}`));
}

/** Each condition by itself, on one statement. */
export function fits(statement: Told, query: Omit<StatementQuery, 'access' | 'limit'>): boolean {
  const { session, who, target, object, verb, effect, code, outcome, q, since, until } = query;
  const sameObject = ({ qualified, name }: Told['touched'][number]): boolean =>
    object === undefined || [qualified.toLowerCase(), name.toLowerCase()].includes(object.toLowerCase());
  const words = q === undefined ? null : wordsOf(statement.text ?? '');
  const asked = wordsAsked(q ?? '');
  return (
    (session === undefined || statement.session === session) &&
    (who === undefined || statement.logins.some((login) => login.toLowerCase() === who.toLowerCase())) &&
    (target === undefined || statement.target === target) &&
    ((object === undefined && verb === undefined) ||
      statement.touched.some((one) => sameObject(one) && (verb === undefined || one.verb === verb.toLowerCase()))) &&
    (effect === undefined || statement.effect === effect) &&
    (code === undefined || statement.codes.includes(code) || statement.refused === code) &&
    (outcome === undefined || statement.outcome === outcome) &&
    (words === null ||
      (asked.length > 0 && asked.every(({ word, begins }) => (begins ? [...words].some((one) => one.startsWith(word)) : words.has(word))))) &&
    (since === undefined || statement.time >= since) &&
    (until === undefined || statement.time < until)
  );
}

function fail(): never {
  throw new Error('a statement of a session that was never opened');
}
