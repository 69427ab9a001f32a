/** What this enforcer refuses by name (invariant 10). The code asks this table; SUPPORT.md is written from it. */
import type { SqlKind } from '#schemas/sql-kinds';

interface Entry {
  /** As the refusal names it. */
  readonly feature: string;
  readonly instead: string;
}

/** By kind of statement, wherever it stands in the text. */
const BY_KIND: Partial<Record<SqlKind, Entry>> = {
  prepare: { feature: 'PREPARE in SQL', instead: 'Prepare with the protocol: every driver does (psql 16: \\parse).' },
  execute: { feature: 'EXECUTE in SQL', instead: 'Execute with the protocol: every driver does.' },
  declare_cursor: { feature: 'DECLARE CURSOR', instead: 'Use a portal of the protocol: setFetchSize in JDBC, pg-cursor in Node.' },
  fetch: { feature: 'FETCH', instead: 'Use a portal of the protocol and a row limit at Execute.' },
  move: { feature: 'MOVE', instead: 'Use a portal of the protocol and a row limit at Execute.' },
  listen: { feature: 'LISTEN', instead: 'Listen on a connection of its own to a service that may see all notifications.' },
  prepare_transaction: { feature: 'PREPARE TRANSACTION', instead: 'COMMIT.' },
};

const COPY_IN: Entry = { feature: 'COPY FROM', instead: 'INSERT with several rows.' };
const COPY_ELSEWHERE: Entry = { feature: 'COPY to or from a file or program of the server', instead: 'COPY (SELECT …) TO STDOUT.' };

/** Under an approval a write runs in a transaction that the gateway may still roll back: these run in none. */
const OUTSIDE: ReadonlySet<SqlKind> = new Set<SqlKind>([
  'vacuum',
  'create_database',
  'drop_database',
  'create_tablespace',
  'drop_tablespace',
  'alter_system',
  'create_subscription',
  'drop_subscription',
  'commit_prepared',
  'rollback_prepared',
]);
/** Kinds with a form CONCURRENTLY; the facts do not tell it apart. */
const CONCURRENT: ReadonlySet<SqlKind> = new Set<SqlKind>(['create_index', 'drop', 'reindex', 'alter_table']);

/** By message or parameter of the protocol. */
export const PROTOCOL = {
  functionCall: { feature: 'FunctionCall (fast path)', instead: 'SELECT function(…).' },
  replication: { feature: 'the replication protocol', instead: 'Connect to the target itself, where replication is governed.' },
  options: { feature: 'the start-up parameter "options"', instead: 'SET after connecting.' },
  startupParameter: { feature: 'this start-up parameter', instead: 'SET after connecting.' },
  longName: { feature: 'names longer than 63 bytes for prepared statements and portals', instead: 'Use shorter names.' },
  settingsInside: {
    feature: 'changing settings that change meaning in the middle of one message',
    instead: 'Send SET in a message of its own, before the statements that depend on it.',
  },
  catalogInside: {
    feature: 'using tables after DDL or code in the same message or transaction, on a target with masks,',
    instead: 'COMMIT first: masks are made for the catalog that is committed.',
  },
  approvedOutside: {
    feature: 'an approval for what cannot run inside a transaction (VACUUM, CREATE DATABASE, ALTER SYSTEM, CONCURRENTLY …)',
    instead: 'Leave out CONCURRENTLY, or run it where it needs no approval.',
  },
  approvedTransaction: {
    feature: 'transaction control in one message, or one segment, with a write that needs an approval',
    instead: 'Send BEGIN, COMMIT and ROLLBACK in messages of their own.',
  },
  approvedTwice: {
    feature: 'a second execution that needs an approval before Sync',
    instead: 'Send Sync after each.',
  },
  approvedBatch: {
    feature: 'a row limit at Execute of a write that needs an approval',
    instead: 'Take all rows of RETURNING at once: a fetch size of 0.',
  },
  deallocateForm: { feature: 'DEALLOCATE or CLOSE together with other statements or with comments', instead: 'Send it in a message of its own.' },
} as const satisfies Record<string, Entry>;

export type Unsupported = Entry;

/** The first thing in a statement that is not supported, or null. */
export function unsupportedKind(kind: SqlKind, copy: { readonly direction: 'in' | 'out'; readonly through: string } | undefined): Unsupported | null {
  if (kind === 'copy') {
    if (copy?.direction === 'in') return COPY_IN;
    return copy?.through === 'stdio' ? null : COPY_ELSEWHERE;
  }
  return BY_KIND[kind] ?? null;
}

/** Why an approved text could not run in the gateway's transaction; null: it can, as far as the text tells. */
export function unsupportedApproved(kinds: readonly SqlKind[], text: Uint8Array): Unsupported | null {
  const concurrently = kinds.some((kind) => CONCURRENT.has(kind)) && /\bconcurrently\b/i.test(Buffer.from(text).toString());
  return concurrently || kinds.some((kind) => OUTSIDE.has(kind)) ? PROTOCOL.approvedOutside : null;
}

/** The page SUPPORT.md. */
export function renderSupport(): string {
  const rows = [...Object.values(BY_KIND), COPY_IN, COPY_ELSEWHERE, ...Object.values(PROTOCOL)];
  return `${HEAD}\n| Not supported | Instead |\n| --- | --- |\n${rows.map((row) => `| ${row.feature} | ${row.instead} |`).join('\n')}\n${TAIL}`;
}

const HEAD = `# What the PostgreSQL enforcer does not support

Written by \`npm run generate\` from \`support.ts\`, which the code asks. Each of these is refused with SQLSTATE \`0A000\` and
\`code=UNSUPPORTED\`; nothing of it reaches the target.
`;

const TAIL = `
Supported: simple and extended protocol, pipelining with Sync and Flush, prepared statements and portals of the protocol, transactions and
savepoints, \`COPY … TO STDOUT\`, cancel requests. \`DEALLOCATE\`, \`CLOSE\` and \`DISCARD\` follow the names that the session prepared.
Approved writes run in a transaction of the gateway's own, or in the client's fresh one: procedures and DO blocks that end transactions
fail there (\`2D000\`), and what they answer reaches the client after the COMMIT, up to 4 MiB. A temporary table that has the name of what was
approved is another object. Of \`options\` the start-up packet may say \`-c interlock.ask_only=on\` alone: nothing runs, approvals are asked for.
Server majors: 15 and 17.
`;
