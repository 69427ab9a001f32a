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
Server majors: 15 and 17.
`;
