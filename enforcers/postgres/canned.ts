/** On targets with masks no text of the target reaches a client (M14): any of it may carry a value, so it is replaced by what its SQLSTATE means. */
import type { Fields } from './protocol.ts';

/** Condition names of https://www.postgresql.org/docs/current/errcodes-appendix.html that clients meet often. */
const MEANING: Readonly<Record<string, string>> = {
  '00000': 'successful completion',
  '01000': 'warning',
  '02000': 'no data',
  '21000': 'cardinality violation',
  '22001': 'value too long for its type',
  '22003': 'numeric value out of range',
  '22007': 'invalid datetime format',
  '22008': 'datetime field overflow',
  '22012': 'division by zero',
  '22023': 'invalid parameter value',
  '22P02': 'invalid text representation of a value',
  '22P03': 'invalid binary representation of a value',
  '23502': 'not-null violation',
  '23503': 'foreign key violation',
  '23505': 'unique violation',
  '23514': 'check violation',
  '23P01': 'exclusion violation',
  '25001': 'there is an active transaction',
  '25006': 'cannot write in a read-only transaction',
  '25P01': 'there is no transaction in progress',
  '25P02': 'current transaction is aborted, commands ignored until end of transaction block',
  '26000': 'prepared statement does not exist',
  '34000': 'portal does not exist',
  '3D000': 'database does not exist',
  '3F000': 'schema does not exist',
  '40001': 'could not serialize access',
  '40P01': 'deadlock detected',
  '42501': 'permission denied',
  '42601': 'syntax error',
  '42701': 'column specified more than once',
  '42702': 'column reference is ambiguous',
  '42703': 'column does not exist',
  '42704': 'object does not exist',
  '42710': 'object exists already',
  '42712': 'table name specified more than once',
  '42725': 'function or operator is not unique',
  '42803': 'column must appear in GROUP BY or be used in an aggregate',
  '42804': 'types do not match',
  '42846': 'type cannot be cast',
  '42883': 'function or operator does not exist',
  '42P01': 'relation does not exist',
  '42P02': 'parameter does not exist',
  '42P05': 'prepared statement exists already',
  '42P07': 'relation exists already',
  '42P10': 'invalid column reference',
  '42P18': 'could not determine the type of a parameter',
  '53200': 'out of memory',
  '53300': 'too many connections',
  '54001': 'statement too complex',
  '55P03': 'lock not available',
  '57014': 'canceling statement',
  '57P01': 'terminating connection due to administrator command',
  '57P05': 'terminating connection due to idle-session timeout',
};

/** By class, for the rest. */
const CLASSES: Readonly<Record<string, string>> = {
  '01': 'warning',
  '08': 'connection exception',
  '0A': 'feature not supported',
  '22': 'data exception',
  '23': 'integrity constraint violation',
  '25': 'invalid transaction state',
  '28': 'invalid authorization',
  '2B': 'dependent objects still exist',
  '40': 'transaction rollback',
  '42': 'syntax error or access rule violation',
  '53': 'insufficient resources',
  '54': 'program limit exceeded',
  '55': 'object not in prerequisite state',
  '57': 'operator intervention',
  '58': 'system error',
  P0: 'raised by a function',
};

const KEPT = ['S', 'V', 'C', 'P'] as const;

/** Severity, SQLSTATE and position stay. */
export function cannedReport(fields: Fields): Fields {
  const told: Record<string, string> = {};
  for (const letter of KEPT) if (fields[letter] !== undefined) told[letter] = fields[letter];
  const state = fields['C'] ?? 'XX000';
  told['M'] = `${MEANING[state] ?? CLASSES[state.slice(0, 2)] ?? 'error'} (text withheld: this target has masked columns)`;
  return told;
}
