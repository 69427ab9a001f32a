/**
 * What remote judging says over the channel. Big-endian; JSON is UTF-8 with its length (u32) in front; `?` marks what flags announce.
 *
 *   decisions.open    JSON {scope}                                     → JSON {session, opening}
 *   decisions.close   session u32                                      → nothing
 *   decisions.learn   JSON {target, fingerprint, database}, gzip       → 1: learned; 0: send the catalog (nothing followed the JSON)
 *   decisions.state   (stream) JSON {revision, masks_possible}, the first at once and one for each change
 *
 *   decisions.read    session u32 │ settings u32 │ flags u8 │ settings JSON? │ text
 *                   → statement u32 │ flags u8 │ SHA-256 of the text (32) │ facts JSON; or one byte, why not
 *
 *   decisions.decide  session u32 │ statement u32 │ settings u32 │ judgement u48 │ rewrite u48 │ action u8 │ transaction u8 │ flags u8
 *                     │ length u8, statement id │ settings JSON? │ params JSON? │ approval JSON? │ usage JSON?
 *                   → answer u8 │ flags u8 │ judged µs u32 │ judgement u48 │ rewrite u48 │ expires in µs u32 │ SHA-256 of the context (32)
 *                     │ length u8, decision id │ judgement JSON? │ rewrite?
 *
 * A text is read once, and then decided by its number. Settings get a number of the enforcer's when they are first sent. Judgements and
 * rewritten texts get a number of the engine's, never used twice; the enforcer says which ones it holds for this statement, and what it holds is not sent.
 */
import type { Moment, Rewrite } from '#client/decision-service';
import { TRANSACTION_STATES } from '#schemas/decision-request';
import { InterlockError } from '#schemas/errors';

export const METHOD = {
  open: 'decisions.open',
  close: 'decisions.close',
  read: 'decisions.read',
  decide: 'decisions.decide',
  learn: 'decisions.learn',
  state: 'decisions.state',
} as const;

export const READ = { settings: 1, readsParams: 1 } as const;
/** Flags of the question. */
export const ASKED = { settings: 1, hasParams: 2, params: 4, approval: 8, usage: 16 } as const;
/** Flags of the answer. */
export const TOLD = { cached: 1, readsParams: 2, judgement: 4, rewritten: 8, rewrite: 16 } as const;
/** What an answer is. */
export const ANSWER = { decided: 0, paramsNeeded: 1, unknownStatement: 2, unknownSession: 3, unknownSettings: 4 } as const;

export const DIGEST_BYTES = 32;
/** Up to the statement's id; at: what stands where. */
export const QUESTION = {
  session: 0,
  statement: 4,
  settings: 8,
  judgement: 12,
  rewrite: 18,
  action: 24,
  transaction: 25,
  flags: 26,
  id: 27,
} as const;
/** Up to the decision's id. */
export const DECIDED = { answer: 0, flags: 1, judgedUs: 2, judgement: 6, rewrite: 12, expiresInUs: 18, context: 22, id: 22 + DIGEST_BYTES } as const;
export { ACTIONS } from '#client/decision-service';
export const TRANSACTIONS: readonly Moment['transaction'][] = TRANSACTION_STATES;

/** Reads what a peer wrote: never beyond its end. */
export class Reading {
  readonly #buffer: Buffer;
  readonly #what: string;
  at: number;

  constructor(bytes: Uint8Array, what: string, at: number = 0) {
    this.#buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
    this.at = at;
  }

  u8(): number {
    return this.#buffer[this.#take(1)] as number;
  }

  u32(): number {
    return this.#buffer.readUInt32BE(this.#take(4));
  }

  u48(): number {
    return u48At(this.#buffer, this.#take(6));
  }

  ascii(bytes: number): string {
    const at = this.#take(bytes);
    return this.#buffer.toString('latin1', at, at + bytes);
  }

  bytes(length: number): Buffer {
    const at = this.#take(length);
    return this.#buffer.subarray(at, at + length);
  }

  /** With its length in front, which may be `max` at most. */
  piece(max: number): Buffer {
    const length = this.u32();
    if (length > max) throw this.#broken();
    return this.bytes(length);
  }

  json(max: number): unknown {
    try {
      return JSON.parse(this.piece(max).toString('utf8'));
    } catch (error) {
      if (error instanceof InterlockError) throw error;
      throw this.#broken();
    }
  }

  rest(): Buffer {
    return this.bytes(this.#buffer.length - this.at);
  }

  done(): void {
    if (this.at !== this.#buffer.length) throw this.#broken();
  }

  #take(bytes: number): number {
    const at = this.at;
    if (at + bytes > this.#buffer.length) throw this.#broken();
    this.at = at + bytes;
    return at;
  }

  #broken(): InterlockError {
    return new InterlockError('CHANNEL_PROTOCOL', `${this.#what} is not of its form`);
  }
}

export function u48At(buffer: Buffer, at: number): number {
  return buffer.readUInt16BE(at) * 0x1_0000_0000 + buffer.readUInt32BE(at + 2);
}

export function writeU48(buffer: Buffer, value: number, at: number): void {
  buffer.writeUInt16BE(Math.floor(value / 0x1_0000_0000), at);
  buffer.writeUInt32BE(value % 0x1_0000_0000, at + 2);
}

/** With its length in front. */
export function piece(bytes: Uint8Array): Buffer {
  const made = Buffer.allocUnsafe(4 + bytes.length);
  made.writeUInt32BE(bytes.length);
  made.set(bytes, 4);
  return made;
}

/**
 * `text` piece │ masked JSON │ count u32 │ count × (from u32, to u32, length u32): where runs of the rewritten text come from. What lies in
 * none of them was inserted.
 */
export function encodeRewrite(rewrite: Rewrite): Buffer {
  const runs = runsOf(rewrite);
  const map = Buffer.allocUnsafe(4 + runs.length * 12);
  map.writeUInt32BE(runs.length);
  for (const [index, run] of runs.entries()) {
    map.writeUInt32BE(run.from, 4 + index * 12);
    map.writeUInt32BE(run.to, 8 + index * 12);
    map.writeUInt32BE(run.length, 12 + index * 12);
  }
  return Buffer.concat([piece(rewrite.text), piece(Buffer.from(JSON.stringify(rewrite.masked))), map]);
}

/** As long as the answer that it stands in. */
export function decodeRewrite(reading: Reading): Rewrite {
  const text = Uint8Array.from(reading.piece(Number.MAX_SAFE_INTEGER));
  const masked = reading.json(Number.MAX_SAFE_INTEGER);
  if (!Array.isArray(masked) || !masked.every((name) => typeof name === 'string'))
    throw new InterlockError('ANSWER_REFUSED', 'a rewritten text of another form');
  const runs: Run[] = [];
  for (let count = reading.u32(); count > 0; count--) runs.push({ from: reading.u32(), to: reading.u32(), length: reading.u32() });
  return { text, masked, toOriginal: (offset) => originalOf(runs, offset) };
}

interface Run {
  readonly from: number;
  readonly to: number;
  length: number;
}

/** `toOriginal` is a function; asked for every offset it becomes data. */
function runsOf({ text, toOriginal }: Rewrite): Run[] {
  const runs: Run[] = [];
  let last: Run | null = null;
  for (let offset = 0; offset <= text.length; offset++) {
    const original = toOriginal(offset);
    if (original === null) last = null;
    else if (last !== null && original === last.to + last.length) last.length++;
    else runs.push((last = { from: offset, to: original, length: 1 }));
  }
  return runs;
}

function originalOf(runs: readonly Run[], offset: number): number | null {
  let low = 0;
  let high = runs.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const run = runs[middle] as Run;
    if (offset < run.from) high = middle - 1;
    else if (offset >= run.from + run.length) low = middle + 1;
    else return run.to + (offset - run.from);
  }
  return null;
}
