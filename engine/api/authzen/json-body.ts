/** A body that everybody reads alike: no key twice, no depth that recursion would not stand, no number that reading would change (I-JSON, RFC 7493). */
import { readJsonBody } from '../json.ts';
import { AUTHZEN_LIMITS } from './limits.ts';

/** What is approved is the number that was sent, not its neighbour. @throws InterlockError USAGE */
export function readJson(bytes: Uint8Array): unknown {
  return readJsonBody(bytes, { depthMax: AUTHZEN_LIMITS.depth, numbers: 'whole' });
}
