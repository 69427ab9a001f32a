/** One statement on one target, as whoever holds the token, through the gateway like any other client: judged, recorded, held, masked there. */
import type { Answer, Ask, CallOptions, Door } from './parts.ts';
import { requestCall } from './request-call.ts';
import { sqlCall } from './sql-call.ts';

export type { Answer, Ask, CallOptions, Door } from './parts.ts';

/** @throws InterlockError NOT_REACHABLE */
export function call(door: Door, ask: Ask, options: CallOptions): Promise<Answer> {
  return ask.kind === 'sql' ? sqlCall(door, ask, options) : requestCall(door, ask, options);
}
