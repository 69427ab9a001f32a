/** Arguments of a tool that another engine understands: SQL, addresses, paths. What no engine understands is opaque, and refused. */
import type { ArgumentKind } from '#schemas/knowledge';
import type { ArgumentFacts } from '#schemas/mcp-facts';
import type { Effect, Opaque, SqlFacts } from '#schemas/sql-facts';
import { LIMITS } from './limits.ts';
import { readPath } from './paths.ts';
import { otherwiseRead } from './sql-dialects.ts';
import type { SqlContext, SqlReading } from './sql-reading.ts';
import { readUrl } from './urls.ts';

export interface Nested {
  readonly parsed: boolean;
  readonly nested: readonly ArgumentFacts[];
  readonly effects: readonly Effect[];
  readonly opaque: readonly Opaque[];
}

/** One argument, as it was read. */
interface Read {
  readonly facts: ArgumentFacts;
  readonly effects: readonly Effect[];
  readonly opaque: readonly Opaque[];
}

export function readNested(given: Readonly<Record<string, unknown>>, kinds: readonly ArgumentKind[], sql: SqlReading): Nested | Promise<Nested> {
  if (kinds.length === 0) return together([]);
  if (kinds.length > LIMITS.nested)
    return { ...together([]), parsed: false, opaque: [{ code: 'budget', detail: `more than ${LIMITS.nested} typed arguments` }] };
  const reads = kinds.flatMap((kind) => {
    const value = valueAt(given, kind.argument);
    return value === undefined ? [] : [readOne(value, kind, sql)];
  });
  const waiting = reads.some((read) => read instanceof Promise);
  return waiting ? Promise.all(reads.map((read) => Promise.resolve(read))).then(together) : together(reads as readonly Read[]);
}

/** `$.a.b` among the arguments; undefined: not given. */
export function valueAt(given: Readonly<Record<string, unknown>>, argument: string): unknown {
  let node: unknown = given;
  for (const key of argument.split('.').slice(1)) {
    if (typeof node !== 'object' || node === null || Array.isArray(node)) return undefined;
    const members = node as Readonly<Record<string, unknown>>;
    if (!Object.hasOwn(members, key)) {
      // another spelling of the key could be the argument to the server
      return Object.keys(members).some((one) => one.toLowerCase() === key.toLowerCase()) ? OTHER_SPELLING : undefined;
    }
    node = members[key];
  }
  return node;
}

const OTHER_SPELLING = Symbol('another spelling');

/** By what SQL is read where no target is named. */
const DEFAULT_MAJOR = 17;
const NO_SETTINGS: Readonly<Record<string, string>> = {};

export function sqlContext({ target }: ArgumentKind, sql: SqlReading): SqlContext | null {
  if (target === undefined) return { major: DEFAULT_MAJOR, database: '', settings: NO_SETTINGS, catalog: null };
  const catalog = sql.catalogOf(target);
  return catalog === null ? null : { major: catalog.serverMajor, database: catalog.database, settings: NO_SETTINGS, catalog };
}

function readOne(value: unknown, kind: ArgumentKind, sql: SqlReading): Read | Promise<Read> {
  if (typeof value !== 'string') return failed(kind, 'syntax', value === OTHER_SPELLING ? 'is spelt in another case' : 'is not a text');
  switch (kind.as) {
    case 'sql':
      return ofSql(value, kind, sql);
    case 'url':
      return ofUrl(value, kind);
    case 'path':
      return ofPath(value, kind);
    case 'shell':
      return failed(kind, 'unsupported', 'is a shell command, which nothing here understands yet');
  }
}

function ofSql(text: string, kind: ArgumentKind, sql: SqlReading): Read | Promise<Read> {
  const context = sqlContext(kind, sql);
  if (context === null) return failed(kind, 'unsupported', `is for ${String(kind.target)}, whose catalog is not known here`);
  const odd = kind.target === undefined ? otherwiseRead(text) : null;
  if (odd !== null) return failed(kind, 'unsupported', `holds ${odd}, which databases read differently, and no target says which one it is for`);
  const read = (facts: SqlFacts): Read => {
    if (facts.parsed && facts.statements.length === 0 && kind.target === undefined) return failed(kind, 'unsupported', 'holds no statement');
    return {
      facts: { argument: kind.argument, as: 'sql', parsed: facts.parsed, ...targetOf(kind), sql: facts },
      effects: facts.effects,
      opaque: facts.opaque.map((entry) => ({ ...entry, detail: `${kind.argument}: ${entry.detail}` })),
    };
  };
  const facts = sql.read(Buffer.from(text, 'utf8'), context);
  return facts instanceof Promise ? facts.then(read) : read(facts);
}

function ofUrl(text: string, kind: ArgumentKind): Read {
  const read = readUrl(text);
  if (!read.ok) return failed(kind, 'syntax', read.detail);
  const effect: Effect = {
    verb: 'connect_out',
    object: { kind: 'host', name: read.host, qualified: read.host },
    statement: 0,
    via: [],
    confidence: 'named',
  };
  return { facts: { argument: kind.argument, as: 'url', parsed: true, url: read.url }, effects: [effect], opaque: [] };
}

function ofPath(text: string, kind: ArgumentKind): Read {
  const { root = '/' } = kind;
  const read = readPath(text, root);
  if (!read.ok) return failed(kind, 'syntax', read.detail);
  const { path } = read;
  if (!path.inside) return { ...failed(kind, 'unsupported', `leaves ${root}`), facts: { argument: kind.argument, as: 'path', parsed: false, path } };
  // whether it is written is the tool's secret
  const effect: Effect = {
    verb: 'read_file',
    object: { kind: 'file', name: path.canonical, qualified: path.canonical },
    statement: 0,
    via: [],
    confidence: 'unknown',
  };
  return { facts: { argument: kind.argument, as: 'path', parsed: true, path }, effects: [effect], opaque: [] };
}

function failed(kind: ArgumentKind, code: Opaque['code'], what: string): Read {
  return {
    facts: { argument: kind.argument, as: kind.as, parsed: false, ...targetOf(kind) },
    effects: [],
    opaque: [{ code, detail: `${kind.argument}: ${what}` }],
  };
}

function targetOf({ target }: ArgumentKind): { readonly target?: string } {
  return target === undefined ? {} : { target };
}

function together(reads: readonly Read[]): Nested {
  return {
    parsed: reads.every((read) => read.facts.parsed),
    nested: reads.map((read) => read.facts),
    effects: reads.flatMap((read) => read.effects),
    opaque: reads.flatMap((read) => read.opaque),
  };
}
