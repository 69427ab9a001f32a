/** What becomes of a payload: its salted digest, its form, and the bytes that stand beside the records. */
import { hash, randomFillSync } from 'node:crypto';
import type { Payload } from '#client/journal';
import { FORMS, SALT_BYTES } from './format.ts';
import { redactSql } from './redact.ts';

export type PayloadMode = 'clear' | 'redacted';

/** What stands in a frame; `digest` is sha256(salt ‖ bytes) as `sha256:<hex>`. */
export interface StoredBytes {
  readonly digest: string;
  readonly salt: Buffer;
  /** null: those of the payload itself, which are not held here. */
  readonly bytes: Uint8Array | null;
}

export interface FormedPayload {
  /** Who made it: another journal has salts of its own. */
  readonly forms: PayloadForms;
  /** Of whom: a copy of a payload is another one. */
  readonly of: Payload;
  /** Of the payload as it was handed over, and how many bytes that were. */
  readonly digest: string;
  readonly length: number;
  readonly form: (typeof FORMS)[number];
  /** null: absent. */
  readonly stored: StoredBytes | null;
  /** Where it is defined; -1: not in this segment. */
  segment: number;
  id: number;
}

/** A payload on its way to another journal, which then has it under the same digest. */
export interface CarriedPayload {
  readonly media: Payload['media'];
  readonly digest: string;
  readonly length: number;
  /** null: not kept in clear, so it does not travel. */
  readonly clear: { readonly salt: Uint8Array; readonly bytes: Uint8Array } | null;
}

const SALT_POOL_BYTES = 8192;

/** Most payloads are parameters of one statement: a place on the payload itself costs a fraction of what a weak map does, to V8's collector too. */
const FORMED = Symbol('formed');
interface Remembering {
  [FORMED]?: FormedPayload;
}

export class PayloadForms {
  readonly #mode: PayloadMode;
  readonly #salts = Buffer.alloc(SALT_POOL_BYTES);
  #saltsUsed = SALT_POOL_BYTES;

  constructor(mode: PayloadMode) {
    this.#mode = mode;
  }

  known(payload: Payload): FormedPayload | undefined {
    const formed = (payload as Remembering)[FORMED];
    return formed?.forms === this && formed.of === payload ? formed : undefined;
  }

  /** @param bytes the payload's own, where they are at hand already: of facts they are made each time */
  of(payload: Payload, bytes?: Uint8Array): FormedPayload {
    const known = this.known(payload);
    if (known) return known;
    return ((payload as Remembering)[FORMED] = this.#form(payload, bytes ?? payload.bytes));
  }

  carry(payload: Payload): CarriedPayload {
    const { digest, length, form, stored } = this.of(payload);
    const clear = form === 'clear' && stored ? { salt: stored.salt, bytes: payload.bytes } : null;
    return { media: payload.media, digest, length, clear };
  }

  /** What does not fit its digest is taken for absent. */
  adopt({ media, digest, length, clear }: CarriedPayload): Payload {
    const kept = clear !== null && (this.#mode === 'clear' || media === 'comment') && digestOver(clear.salt, clear.bytes) === digest;
    const payload: Payload = { bytes: kept ? clear.bytes : new Uint8Array(0), media };
    const stored = kept ? { digest, salt: Buffer.from(clear.salt), bytes: null } : null;
    (payload as Remembering)[FORMED] = { forms: this, of: payload, digest, length, form: kept ? 'clear' : 'absent', stored, segment: -1, id: -1 };
    return payload;
  }

  #form(payload: Payload, bytes: Uint8Array): FormedPayload {
    const { media } = payload;
    const whole = this.#salted(bytes);
    const formed = { forms: this, of: payload, digest: whole.digest, length: bytes.length, segment: -1, id: -1 };
    // a reviewer's words are nobody's literal, and whoever is refused must be able to read them
    if (this.#mode === 'clear' || media === 'comment') return { ...formed, form: 'clear', stored: { ...whole, bytes: null } };
    // without its salt, nothing can be guessed from the digest of what was left out
    if (media !== 'text') return { ...formed, form: 'absent', stored: null };
    return { ...formed, form: 'redacted', stored: this.#salted(Buffer.from(redactSql(Buffer.from(bytes).toString('utf8')))) };
  }

  #salted(bytes: Uint8Array): StoredBytes {
    if (this.#saltsUsed + SALT_BYTES > SALT_POOL_BYTES) {
      randomFillSync(this.#salts);
      this.#saltsUsed = 0;
    }
    const salted = Buffer.allocUnsafe(SALT_BYTES + bytes.length);
    this.#salts.copy(salted, 0, this.#saltsUsed, (this.#saltsUsed += SALT_BYTES));
    salted.set(bytes, SALT_BYTES);
    return { digest: `sha256:${hash('sha256', salted, 'hex')}`, salt: Buffer.from(salted.subarray(0, SALT_BYTES)), bytes };
  }
}

function digestOver(salt: Uint8Array, bytes: Uint8Array): string {
  return `sha256:${hash('sha256', Buffer.concat([salt, bytes]), 'hex')}`;
}
