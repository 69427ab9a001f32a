/** How an enforcer asks its engines: once more, of another, where the connection died meanwhile and asking twice is asking once. */
import { InterlockError } from '#schemas/errors';
import type { CallOptions, Channel, Dialer } from '../channel/parts.ts';
import { APART_LIMITS } from './limits.ts';
import { ask, type Answer, type Method, type Question } from './messages.ts';

export type Engines = Pick<Dialer, 'call' | 'open' | 'channel' | 'ready'>;

/**
 * For questions that may be asked twice (each of ours: requests join, uses carry a nonce). Where no engine answers within `againMs` after the
 * connection died, the error of the first attempt stands.
 */
export async function askEngine<M extends Method>(engines: Engines, method: M, question: Question<M>, options: CallOptions): Promise<Answer<M>> {
  const { channel } = engines;
  try {
    return await ask(engines, method, question, options);
  } catch (error) {
    try {
      await anotherEngine(engines, channel, error);
      return await ask(engines, method, question, options);
    } catch (last) {
      throw forClients(last);
    }
  }
}

/** A client learns that the engine is away, and not where it would be: that stands in the log of the channel. */
export function forClients(error: unknown): unknown {
  if (!(error instanceof InterlockError) || error.code !== 'ENGINE_UNAVAILABLE') return error;
  return new InterlockError('ENGINE_UNAVAILABLE', 'the engine cannot be asked just now', { cause: error });
}

/** Resolves when another connection is there; rejects with `error` when it is not of a connection that died, or none is there in time. */
export async function anotherEngine(engines: Engines, before: Channel | null, error: unknown): Promise<void> {
  if (!isLost(error) || (before !== null && before.ended === null)) throw error;
  try {
    await engines.ready(APART_LIMITS.againMs);
  } catch {
    throw error; // what was lost first is the cause; that nobody else is there follows from it
  }
}

function isLost(error: unknown): boolean {
  return error instanceof InterlockError && (error.code === 'ENGINE_UNAVAILABLE' || error.code === 'DRAINING');
}
