/** What is refused whatever policy says: a text that could not be read, and a relation that masks cannot be applied to. */
import type { Judgement } from '#schemas/decision';
import type { ErrorCode } from '#schemas/errors';
import { type Facts, isSql } from '#schemas/facts';
import type { Opaque } from '#schemas/sql-facts';
import { ownDenial } from './combine.ts';

/** null: policy decides; any other opaque entry is its business. */
export function refusalOf(facts: Facts, masksPossible: boolean, revision: string): Judgement | null {
  if (!facts.parsed) {
    const [first] = facts.opaque;
    return ownDenial(first ? codeOf(first) : 'UNPARSED', first?.detail ?? 'the statement could not be understood', revision);
  }
  const unknown = masksPossible && isSql(facts) ? facts.opaque.find((entry) => entry.code === 'unknown_object') : undefined;
  if (!unknown) return null;
  return ownDenial('MASK_RELATION_UNKNOWN', unknown.detail, revision, 'Check the name; if the relation is new, reconnect.');
}

/** A text that is too long is BUDGET_TEXT before it is read: the protocol knows its limit. */
function codeOf({ code }: Opaque): ErrorCode {
  switch (code) {
    case 'encoding':
      return 'ENCODING';
    case 'budget':
      return 'BUDGET_PARSE';
    case 'unsupported':
      return 'PARSER_UNAVAILABLE';
    default:
      return 'UNPARSED';
  }
}
