/** Cancel requests carry keys of our own; a key means one session, and only from where that session came (P6). */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { LIMITS } from '#enforcers/common/limits';
import type { Clock } from '#client/clock';

export interface CancelKey {
  readonly pid: number;
  readonly secret: Buffer;
}

const SECRET_BYTES = 4;

export class CancelKeys<T> {
  readonly #byPid: Map<number, { readonly secret: Buffer; readonly address: string; readonly session: T }> = new Map();

  issue(session: T, address: string): CancelKey {
    let pid = 0;
    do pid = randomBytes(4).readInt32BE(0) & 0x7fffffff;
    while (pid === 0 || this.#byPid.has(pid));
    const secret = randomBytes(SECRET_BYTES);
    this.#byPid.set(pid, { secret, address, session });
    return { pid, secret };
  }

  withdraw(key: CancelKey): void {
    this.#byPid.delete(key.pid);
  }

  find(pid: number, secret: Buffer, address: string): T | null {
    const entry = this.#byPid.get(pid);
    // an unknown pid costs the same comparison
    const equal = timingSafeEqual(entry?.secret ?? Buffer.alloc(SECRET_BYTES), secret);
    return entry && equal && entry.address === address ? entry.session : null;
  }
}

/** A bucket for each address; when too many addresses are known the oldest is forgotten. */
export class Buckets {
  readonly #clock: Clock;
  readonly #buckets: Map<string, { tokens: number; atUs: number }> = new Map();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  take(address: string): boolean {
    const nowUs = this.#clock.monotonicUs();
    const bucket = this.#buckets.get(address) ?? { tokens: LIMITS.cancelsPerAddressBurst, atUs: nowUs };
    this.#buckets.delete(address);
    bucket.tokens = Math.min(LIMITS.cancelsPerAddressBurst, bucket.tokens + ((nowUs - bucket.atUs) / 1e6) * LIMITS.cancelsPerAddressPerSecond);
    bucket.atUs = nowUs;
    this.#buckets.set(address, bucket);
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size <= LIMITS.addressesTracked) break;
      this.#buckets.delete(oldest);
    }
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
}
