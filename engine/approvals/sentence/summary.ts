/**
 * What a statement does, from its facts alone. Honest: every effect is in it, and what cannot be known is said to be
 * unknown. Names are shown as they are where they are plain, else quoted with escapes, so that no name can pass for a part of the sentence.
 */
import type { Effect, FunctionClass, Opaque, SessionEffect, SqlFacts, SqlStatement } from '#schemas/sql-facts';
import { name } from './names.ts';

export const STATEMENTS_MAX = 10;
const OBJECTS_MAX = 20;

const VERBS: Readonly<Record<Effect['verb'], string>> = {
  read: 'reads',
  insert: 'inserts into',
  update: 'updates',
  delete: 'deletes from',
  truncate: 'empties',
  lock: 'locks',
  create: 'creates',
  alter: 'alters',
  drop: 'drops',
  grant: 'changes rights on',
  execute: 'calls',
  read_file: 'reads the file',
  write_file: 'writes the file',
  run_program: 'runs the program',
  connect_out: 'connects to',
  signal: 'signals',
  replicate: 'replicates',
  transaction: 'controls the transaction with',
};
const ROWS: ReadonlySet<Effect['verb']> = new Set(['update', 'delete']);
const DML: ReadonlySet<SqlStatement['kind']> = new Set(['insert', 'update', 'delete', 'merge']);
const WHERE: Readonly<Record<SqlStatement['where'], string>> = {
  none: 'in every row',
  constant: 'where a condition holds that looks at no column, so in every row or in none',
  bound: 'where a column equals a value',
  keyed: 'where a key equals a value',
  other: 'where a condition holds',
};
/** The facts know the weakest of several parts: the others may be narrower, none is wider. */
const WHERE_OF_PARTS: Readonly<Record<SqlStatement['where'], string>> = {
  none: 'at least one of these in every row',
  constant: 'at least one of these where a condition holds that looks at no column, so in every row or in none',
  bound: 'each where a column equals a value',
  keyed: 'each where a key equals a value',
  other: 'each where a condition holds',
};
const CALLED: Readonly<Record<FunctionClass, string>> = {
  pure: '',
  catalog: '',
  file: 'reaches files',
  network: 'opens connections',
  session: 'changes the session or the server',
  admin: 'administers the server',
  sql: 'runs SQL that it is given',
  user: 'is defined in the database, its body is not seen',
  unknown: 'is not known',
};

/** @param literals false: no value that the text holds, nor the piece of it that a parser stumbled over */
export function summarise(facts: SqlFacts, literals: boolean = true): string {
  const hiddenSaid = facts.opaque.map((one) => unseen(one, literals));
  if (!facts.parsed) return `cannot be understood (${hiddenSaid.join('; ') || 'no reason given'}): nothing is known of what it does`;
  const sent = facts.statements.filter((statement) => statement.parent === null);
  if (sent.length === 0 && facts.effects.length === 0) return 'is empty: it does nothing';
  const told = sent.slice(0, STATEMENTS_MAX).map((statement) => clause(statement, facts));
  const numbered = sent.length === 1 ? told : told.map((one, index) => `${index + 1}. ${one}`);
  // What would warn comes first: whoever shows the sentence may cut it at its end.
  const count = sent.length === 1 ? '1 statement' : `${sent.length} statements`;
  const hidden = facts.opaque.length > 0 ? ` of which a part cannot be seen (${listed(hiddenSaid)})` : '';
  return `${count}${hidden}: ${[...numbered, ...rest(sent.slice(STATEMENTS_MAX), facts), ...settings(facts.session, literals)].join('; ')}`;
}

/** One statement as sent, with the code found inside it. */
export function clause(statement: SqlStatement, facts: SqlFacts): string {
  const inside = insideOf(statement, facts);
  const own = facts.effects.filter((effect) => effect.statement === statement.index);
  const nested = facts.effects.filter((effect) => effect.statement !== statement.index && inside.has(effect.statement));
  const parts = [...effectParts(own, statement), ...extras(statement, own)];
  // A kind without an effect still does something: its name says what.
  const said = parts.length > 0 ? parts.join(', ') : kindSaid(statement);
  const within = inside.size > 1 ? ` and runs ${inside.size - 1} inside it that ${withinSaid(nested, facts, inside, statement.index)}` : '';
  return `${explained(statement)}${said}${within}`;
}

function kindSaid({ kind }: SqlStatement): string {
  return `is ${kind.replaceAll('_', ' ').toUpperCase()}`;
}

function withinSaid(effects: readonly Effect[], facts: SqlFacts, inside: ReadonlySet<number>, outer: number): string {
  const parts = facts.statements
    .filter((statement) => inside.has(statement.index) && statement.index !== outer)
    .flatMap((statement) => {
      const own = effects.filter((effect) => effect.statement === statement.index);
      const said = [...effectParts(own, statement), ...extras(statement, own)];
      return said.length > 0 ? said : [kindSaid(statement)];
    });
  return listed(parts);
}

function effectParts(effects: readonly Effect[], statement: SqlStatement): string[] {
  const written = new Set(effects.filter((effect) => effect.verb !== 'read').map(place));
  const calls = new Set(callsOf(statement).map((use) => use.name));
  // What is changed is looked at, too: only rows that come back are worth a word, and `extras` has it. So it does with what is called.
  const worth = effects.filter((effect) =>
    effect.verb === 'read' ? !written.has(place(effect)) : effect.verb !== 'execute' || !calls.has(effect.object.qualified),
  );
  const direct = worth.filter((effect) => effect.via.length === 0);
  const groups = Map.groupBy(direct, (effect) => effect.verb);
  const rowGroups = [...groups].filter(([verb]) => ROWS.has(verb));
  const several = rowGroups.flatMap(([, group]) => group).length > 1;
  const said = [...groups].map(([verb, group]) => {
    const rows = ROWS.has(verb) && !several ? ` ${WHERE[statement.where]}` : '';
    return `${VERBS[verb]} ${listed([...new Set(group.map(objectSaid))])}${verb === 'update' ? writtenColumns(statement) : ''}${rows}`;
  });
  return [...said, ...(several ? [WHERE_OF_PARTS[statement.where]] : []), ...reached(worth.filter((effect) => effect.via.length > 0))];
}

/** What else happens because of what is written in the text: in which rows is not known. */
export function reached(effects: readonly Effect[]): string[] {
  return [...Map.groupBy(effects, (effect) => effect.verb)].map(([verb, group]) => `${VERBS[verb]} ${listed([...new Set(group.map(objectSaid))])}`);
}

export function callsOf(statement: SqlStatement): SqlStatement['functions'] {
  return statement.functions.filter((use) => use.class !== 'pure' && use.class !== 'catalog');
}

/** `f` (is defined in the database, its body is not seen) */
export function callsSaid(statement: SqlStatement): readonly string[] {
  return [...new Set(callsOf(statement).map((use) => `${name(use.name)} (${CALLED[use.class]})`))];
}

function extras(statement: SqlStatement, own: readonly Effect[]): string[] {
  const calls = callsSaid(statement);
  const changesRows = own.some((effect) => ROWS.has(effect.verb));
  const reads = !changesRows && statement.class === 'read' && statement.where !== 'none' ? [WHERE[statement.where].replace(/^in/, 'of')] : [];
  return [
    ...reads,
    ...(calls.length > 0 ? [`calls ${listed(calls)}`] : []),
    ...(statement.locking ? ['locks the rows'] : []),
    ...(DML.has(statement.kind) && statement.output.length > 0 ? ['returns rows'] : []),
    ...(statement.copy ? [`copies ${statement.copy.direction === 'in' ? 'in from' : 'out to'} ${throughSaid(statement.copy.through)}`] : []),
    ...limitSaid(statement),
  ];
}

function limitSaid({ limit }: SqlStatement): string[] {
  if (limit === 'none') return [];
  return [limit === 'param' ? 'at most as many rows as a parameter says' : `at most ${limit} row${limit === 1 ? '' : 's'}`];
}

function throughSaid(through: 'stdio' | 'file' | 'program'): string {
  return { stdio: 'the client', file: 'a file on the server', program: 'a program on the server' }[through];
}

function explained({ explain }: SqlStatement): string {
  return { no: '', plan: 'explains without running: ', analyze: 'runs and explains: ' }[explain];
}

function writtenColumns(statement: SqlStatement): string {
  const columns = [...new Set(statement.columns.filter((use) => use.in === 'write').map((use) => use.column.split('.').at(-1) ?? use.column))];
  if (columns.length === 0) return '';
  return columns.includes('*') ? ' (any column)' : ` (${listed(columns.map(name))})`;
}

function objectSaid(effect: Effect): string {
  const via =
    effect.via.length > 0 ? ` (through ${effect.via.map((step) => `${step.kind.replaceAll('_', ' ')} ${name(step.name)}`).join(', ')})` : '';
  const sure = effect.confidence === 'ambiguous' || effect.confidence === 'unknown' ? ' (which one cannot be told)' : '';
  const kind = UNNAMED_KINDS.has(effect.object.kind) ? '' : `${effect.object.kind} `;
  return `${kind}${name(effect.object.qualified)}${via}${sure}`;
}

/** The verb says enough. */
const UNNAMED_KINDS: ReadonlySet<Effect['object']['kind']> = new Set(['table', 'view', 'file', 'other']);

export function settings(session: readonly SessionEffect[], literals: boolean): string[] {
  if (session.length === 0) return [];
  const said = session.map(({ op, name: setting, value, local }) => {
    const to = value === null ? '' : ` to ${literals || op !== 'set' ? name(value) : '?'}`;
    return `${op.replaceAll('_', ' ')} ${name(setting)}${to}${local ? ' until the transaction ends' : ''}`;
  });
  return [`changes the session: ${listed([...new Set(said)])}`];
}

/** More than are told one by one: all that they do, without their places. */
export function rest(statements: readonly SqlStatement[], facts: SqlFacts): string[] {
  if (statements.length === 0) return [];
  const inside = new Set(statements.flatMap((statement) => [...insideOf(statement, facts)]));
  const effects = facts.effects.filter((effect) => inside.has(effect.statement));
  const verbs = [...Map.groupBy(effects, (effect) => effect.verb)].map(
    ([verb, group]) => `${VERBS[verb]} ${listed([...new Set(group.map(objectSaid))])}`,
  );
  const calls = facts.statements
    .filter((statement) => inside.has(statement.index))
    .flatMap((statement) => callsSaid(statement).map((call) => `calls ${call}`));
  const kinds = [...new Set(statements.map((statement) => statement.kind.replaceAll('_', ' ').toUpperCase()))];
  return [
    `and ${statements.length} more statements (${listed(kinds)}) that together: ${[...verbs, ...new Set(calls)].join(', ') || 'name no object'}`,
  ];
}

export function insideOf(statement: SqlStatement, facts: SqlFacts): ReadonlySet<number> {
  const inside = new Set([statement.index]);
  // Each follows the one that it stands in.
  for (const one of facts.statements) if (one.parent !== null && inside.has(one.parent)) inside.add(one.index);
  return inside;
}

function place(effect: Effect): string {
  return JSON.stringify([effect.object.kind, effect.object.qualified, effect.via]);
}

export function unseen({ code, detail }: Opaque, literals: boolean): string {
  return `${code.replaceAll('_', ' ')}: ${name(literals ? detail : withoutQuoted(detail))}`;
}

/** A parser's complaint quotes the text where it stumbled. */
export function withoutQuoted(detail: string): string {
  return detail.replace(/["'][^]*["']/, '…');
}

export function listed(items: readonly string[]): string {
  const more = items.length - OBJECTS_MAX;
  return more > 0 ? `${items.slice(0, OBJECTS_MAX).join(', ')} and ${more} more` : items.join(', ');
}
