/** That something has changed, as it happens: the gateway's stream, and again after it ended. */
import { setTimeout as passed } from 'node:timers/promises';
import { InterlockError } from '#schemas/errors';
import type { Gateway } from '../gateway.ts';

const AGAIN_MS = 2_000;

/**
 * true: look again (first of all once it stands); false: the stream is gone, and is tried again. Ends with the signal; throws what trying again
 * does not mend.
 */
export async function* following(gateway: Gateway, signal: AbortSignal): AsyncGenerator<boolean> {
  while (!signal.aborted) {
    try {
      for await (const { event, data } of gateway.live('/v1/live', signal)) {
        const kind = (data as { readonly kind?: string } | null)?.kind;
        if (event === 'ready' || event === 'refetch' || kind === 'approval' || kind === 'delegation') yield true;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof InterlockError) || !PASSING.has(error.code)) throw error;
    }
    if (signal.aborted) return;
    yield false;
    await passed(AGAIN_MS, null, { signal }).catch(() => {});
  }
}

const PASSING: ReadonlySet<string> = new Set(['NOT_REACHABLE', 'API_BUSY', 'DRAINING', 'APPROVAL_UNAVAILABLE']);
