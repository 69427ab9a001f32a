export type RefusalCode = 'MASK_IMPOSSIBLE' | 'MASK_RELATION_UNKNOWN';

/** Thrown inside the rewriter, caught in it: why this text cannot be answered masked, and how to ask instead. Never holds a value of a row. */
export class Refusal extends Error {
  readonly code: RefusalCode;
  readonly hint: string;
  constructor(reason: string, hint: string, code: RefusalCode = 'MASK_IMPOSSIBLE') {
    super(reason);
    this.name = 'Refusal';
    this.code = code;
    this.hint = hint;
  }
}

const READ_IN_FROM = 'Read the table itself in the FROM of a SELECT: its masked columns are then answered masked.';

/** Every reason that one construct has, in one table: the tests and SUPPORT pages name them by these keys. */
export const REFUSALS = {
  unreadable: (why: string) => new Refusal(`the statement cannot be read: ${why}`, 'Send a statement that the server itself would accept.'),
  tooDeep: () => new Refusal('the statement is nested too deeply to be masked', 'Simplify it: fewer terms, less nesting.'),
  tooLong: (bytesMax: number) => new Refusal(`the masked statement would be longer than ${bytesMax} bytes`, 'Name the masked table fewer times.'),
  noCatalog: () =>
    new Refusal(
      "the target's catalog has not been read, so nothing can be masked",
      'Reconnect; see the log of the gateway.',
      'MASK_RELATION_UNKNOWN',
    ),
  unknown: (name: string) =>
    new Refusal(
      `the relation ${name} is not in the catalog that the gateway has read`,
      'Check the name and its schema; if the relation is new, reconnect. Temporary tables are not available where columns are masked.',
      'MASK_RELATION_UNKNOWN',
    ),
  ambiguous: (name: string) =>
    new Refusal(`it cannot be told which relation ${name} is, and one of that name has masked columns`, 'Write the name with its schema.'),
  tainted: (name: string, why: string) => new Refusal(`${name} ${why}`, READ_IN_FROM),
  systemRelation: (name: string) =>
    new Refusal(`${name} shows values of masked columns or of other sessions`, 'Leave this relation out: it cannot be masked.'),
  threeParts: (table: string, column: string) =>
    new Refusal(
      `${table}.${column} names a column of a masked table together with its schema`,
      `Write ${bare(table)}.${column}, or give the table an alias.`,
    ),
  tableSample: (name: string) =>
    new Refusal(
      `TABLESAMPLE cannot be applied to ${name}, which has masked columns`,
      'Leave TABLESAMPLE out; use ORDER BY pg_catalog.random() LIMIT n.',
    ),
  systemColumn: (column: string) =>
    new Refusal(`the system column ${column} is not available on a table with masked columns`, 'Use the primary key instead.'),
  groupBy: (column: string) =>
    new Refusal(
      `${column} is not in GROUP BY, and a table with masked columns has no functional dependency on its primary key`,
      `Add ${column} to GROUP BY: the groups stay the same.`,
    ),
  copyTable: (name: string) =>
    new Refusal(`COPY ${name} TO cannot be masked`, 'Use COPY (SELECT … FROM …) TO STDOUT: its masked columns are then answered masked.'),
  explain: () =>
    new Refusal(
      'EXPLAIN with costs, ANALYZE or buffers shows widths that depend on masked values',
      'Use EXPLAIN (COSTS OFF), with VERBOSE or FORMAT if wanted.',
    ),
  laundering: (what: string) =>
    new Refusal(`${what} would store what it reads of masked columns`, 'Write values, or read only columns that are not masked, by their names.'),
  targetRead: (what: string) =>
    new Refusal(
      `${what} would read masked columns of the table that it writes`,
      'Name only columns that are not masked in WHERE, SET, ON CONFLICT and RETURNING; no * and no whole rows.',
    ),
  dependent: (what: string) =>
    new Refusal(`${what} over a table with masked columns would hand out what is masked`, 'Ask somebody without masks to create it.'),
  opaque: (what: string) => new Refusal(`${what} holds code that is not read, and may read masked columns`, 'Send the statements themselves.'),
  cursor: (what: string) =>
    new Refusal(`${what} over a table with masked columns is not supported`, 'Send the SELECT itself; use LIMIT or keyset pages.'),
  ddl: (what: string, name: string) =>
    new Refusal(`${what} could move or uncover masked columns of ${name}`, 'Ask somebody without masks to change the table.'),
  shadow: (name: string) => new Refusal(`a temporary object may not have the name of a known relation (${name})`, 'Choose another name.'),
  setting: () => new Refusal('settings of the gateway are not readable, nor is a setting whose name is computed', 'Name the setting literally.'),
  method: (using: string, column: string) =>
    new Refusal(
      `the mask method ${using} cannot be fulfilled for ${column} by this enforcer`,
      'Ask the owner of the policies for `redact` or `null` there.',
    ),
  drifted: (name: string) =>
    new Refusal(
      `${name} was changed so that its masked columns are no longer where masks were bound`,
      'Ask the owner of the policies to look at the renamed column or table.',
    ),
  mismatch: (where: string) =>
    new Refusal(`the masked statement does not compare with the original (${where})`, 'Write the table plainly: FROM schema.table AS alias.'),
} as const;

function bare(table: string): string {
  return table.slice(table.lastIndexOf('.') + 1);
}
