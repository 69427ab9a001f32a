/** A ping each second, for signs of life, the peer's clock and the round trip. Both sides send them. */
import type { Clock } from '#client/clock';
import { TYPE } from './frames.ts';
import type { Wire } from './wire.ts';

export interface HeartbeatOptions {
  readonly wire: Wire;
  readonly clock: Clock;
  readonly everyMs: number;
  /** Beats without a sign of life. */
  readonly silentBeats: number;
  readonly silent: (ms: number) => void;
  /** Called with each beat. */
  readonly beat: () => void;
}

interface Sample {
  readonly offsetUs: number;
  readonly rttUs: number;
}

/** The offset is taken from the quickest of so many round trips: it errs by half of what the trip took. */
const SAMPLES = 8;
const TIME_BYTES = 8;

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #samples: Sample[] = [];
  #heardUs: number;
  #beatUs: number;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#heardUs = this.#beatUs = options.clock.monotonicUs();
    this.#timer = setInterval(() => this.#beat(), options.everyMs);
    this.#ping();
  }

  get offsetMs(): number | null {
    if (this.#samples.length === 0) return null;
    return this.#samples.reduce((best, sample) => (sample.rttUs < best.rttUs ? sample : best)).offsetUs / 1000;
  }

  get rttMs(): number | null {
    const last = this.#samples.at(-1);
    return last === undefined ? null : last.rttUs / 1000;
  }

  /** Anything came. */
  heard(): void {
    this.#heardUs = this.#options.clock.monotonicUs();
  }

  pinged(body: Buffer): void {
    const { wire, clock } = this.#options;
    const at = wire.begin(TYPE.pong, 0, 0, 2 * TIME_BYTES);
    body.copy(wire.buffer, at, 0, TIME_BYTES);
    wire.buffer.writeDoubleBE(clock.wallUs(), at + TIME_BYTES);
  }

  ponged(body: Buffer): void {
    const { clock } = this.#options;
    const sentUs = body.readDoubleBE(0);
    const theirUs = body.readDoubleBE(TIME_BYTES);
    const rttUs = clock.monotonicUs() - sentUs;
    if (!(rttUs >= 0) || !Number.isFinite(theirUs)) return;
    if (this.#samples.length >= SAMPLES) this.#samples.shift();
    this.#samples.push({ offsetUs: theirUs + rttUs / 2 - clock.wallUs(), rttUs });
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #beat(): void {
    const { clock, everyMs, silentBeats, silent, beat } = this.#options;
    const nowUs = clock.monotonicUs();
    // it was us who slept: what came meanwhile has not been read yet
    const slept = nowUs - this.#beatUs > 2 * everyMs * 1000;
    this.#beatUs = nowUs;
    if (slept) this.#heardUs = Math.max(this.#heardUs, nowUs - everyMs * 1000);
    const silentUs = nowUs - this.#heardUs;
    if (silentUs >= silentBeats * everyMs * 1000) return silent(Math.round(silentUs / 1000));
    this.#ping();
    beat();
  }

  /** With our monotonic clock, which comes back: setting the wall clock meanwhile does not count as the way. */
  #ping(): void {
    const { wire, clock } = this.#options;
    const at = wire.begin(TYPE.ping, 0, 0, TIME_BYTES);
    wire.buffer.writeDoubleBE(clock.monotonicUs(), at);
  }
}
