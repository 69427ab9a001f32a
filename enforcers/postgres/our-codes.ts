/** SQLSTATEs that are the gateway's own words: a client that reads one has it from the gateway (SURFACE). */
import type { Fields } from './protocol.ts';

/** IL001 and its like say what became of a request for approval. */
const OUR_CLASS = 'IL';
/** `raise_exception`: what a target that says one of ours most likely did. */
const RAISED = 'P0001';

/** What a target says under a code of ours, under one of its own; null: it does not. */
export function withoutOurCodes(fields: Fields): Fields | null {
  return fields['C']?.toUpperCase().startsWith(OUR_CLASS) === true ? { ...fields, C: RAISED } : null;
}
