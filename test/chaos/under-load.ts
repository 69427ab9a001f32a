/** When a fault comes, and when what it left under way has arrived. */
import type { Random } from '#test/support/random';
import type { Relay } from '#test/support/relay';
import type { Workload } from './workload.ts';

export interface Loaded {
  readonly bed: {
    readonly relay: Relay;
    /** Resolves when the next statement reaches the relay. */
    nextStatement(): Promise<void>;
  };
  readonly random: Random;
}

/** What is answered before the fault may come: connections and policy are warm, and something can be lost. */
const ANSWERED_MIN = 60;
const MORE_MS = 300;
/** Something was approved and used, if it comes soon: on a busy machine a reviewer is slow, and all clients may be held. */
const APPROVED_MIN = 1;
const APPROVED_MS = 5_000;

/**
 * Until enough was answered, and then some random while; half the time the fault comes at the moment when a statement has just arrived at the
 * target, which is where an intent that is not yet recorded would show. Returns how many statements are under way then.
 */
export async function underLoad(load: Workload, { bed, random }: Loaded): Promise<number> {
  await load.answered(ANSWERED_MIN);
  await Promise.race([load.succeeded(APPROVED_MIN, 'approve'), after(APPROVED_MS, null)]);
  const sharp = random.next() < 0.5;
  await after(random.between(0, MORE_MS), null);
  if (sharp) await Promise.race([bed.nextStatement(), after(SHARP_MS, null)]);
  return load.inFlight();
}
const SHARP_MS = 2_000;

/** Until what the gateway had sent has arrived at the relay: nothing new within a while. */
export async function drained({ bed }: Pick<Loaded, 'bed'>): Promise<void> {
  for (let before = -1, now = bytesAt(bed); now !== before; now = bytesAt(bed)) {
    before = now;
    await after(QUIET_MS, null);
  }
}
const QUIET_MS = 60;

function bytesAt({ relay }: Loaded['bed']): number {
  return relay.connections.reduce((sum, connection) => sum + connection.sent().length, 0);
}

export function after<T>(ms: number, value: T): Promise<T> {
  return new Promise((resolve) => setTimeout(() => resolve(value), ms));
}
