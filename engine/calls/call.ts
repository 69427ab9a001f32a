/** One statement on one target, as whoever holds the token, through the gateway like any other client: judged, recorded, held, masked there. */
import type { Answer, Ask, CallOptions, Door } from './parts.ts';
import { requestCall } from './request-call.ts';
import { sqlCall } from './sql-call.ts';
import { toolCall } from './tool-call.ts';

export type { Answer, Ask, CallOptions, Door } from './parts.ts';

/** @throws InterlockError NOT_REACHABLE, UNSUPPORTED */
export function call(door: Door, ask: Ask, options: CallOptions): Promise<Answer> {
  switch (ask.kind) {
    case 'sql':
      return sqlCall(door, ask, options);
    case 'http':
      return requestCall(door, ask, options);
    case 'mcp':
      return toolCall(door, ask, options);
  }
}
