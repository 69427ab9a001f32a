import { InterlockError } from '#schemas/errors';
import type { Peer } from '../channel/parts.ts';

/** An enforcer may ask for the targets of its certificate, and for nothing else (E6). @throws InterlockError TARGET_NOT_GRANTED */
export function requireGranted({ name, targets }: Peer, target: string): void {
  if (!targets.includes(target))
    throw new InterlockError('TARGET_NOT_GRANTED', `the enforcer ${name} may not ask for the target ${target.slice(0, 64)}`);
}
