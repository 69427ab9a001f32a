/**
 * By which keys other journals sign their checkpoints, as their enforcers said over the private channel. A journal's key is its key for as long as there is
 * a file of it: what was said first is kept over restarts, and another key for the same journal is an alarm, and is not believed.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Alarms } from './alarms.ts';
import { LIMITS } from './limits.ts';

interface Known {
  /** Who said so. */
  readonly enforcer: string;
  /** SPKI, DER, base64. */
  readonly key: string;
}

const JOURNAL = /^[0-9a-f]{32}$/;

export class JournalKeys {
  readonly #file: string;
  readonly #alarms: Pick<Alarms, 'raise'>;
  readonly #known: Map<string, Known>;
  readonly #keys = new Map<string, KeyObject>();

  constructor(file: string, alarms: Pick<Alarms, 'raise'>) {
    this.#file = file;
    this.#alarms = alarms;
    const known = read(file);
    if (known === null) alarms.raise('foreign', 'keys.json', 'it does not say by which keys journals are signed; enforcers say it again');
    this.#known = known ?? new Map();
    for (const [journal, { key }] of this.#known) this.#keys.set(journal, keyIn(key) as KeyObject);
  }

  of(journal: string): KeyObject | null {
    return this.#keys.get(journal) ?? null;
  }

  learn(journal: string, { enforcer, key }: Known): void {
    const known = this.#known.get(journal);
    if (known?.key === key) return;
    if (known !== undefined) {
      const says = `enforcer ${enforcer} says that the journal’s checkpoints are signed by another key than ${known.enforcer} said`;
      return this.#alarms.raise('foreign', journal, says);
    }
    const made = JOURNAL.test(journal) ? keyIn(key) : null;
    if (made === null) return this.#alarms.raise('foreign', enforcer, 'an enforcer named a key for its journal that is none');
    if (this.#known.size >= LIMITS.journalsMax) return this.#alarms.raise('foreign', enforcer, `there are more than ${LIMITS.journalsMax} journals`);
    this.#known.set(journal, { enforcer, key });
    this.#keys.set(journal, made);
    this.#write();
  }

  /** By rename: a reader sees the old one or the new one. */
  #write(): void {
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
    writeFileSync(`${this.#file}.new`, `${JSON.stringify(Object.fromEntries(this.#known))}\n`, { mode: 0o600, flush: true });
    renameSync(`${this.#file}.new`, this.#file);
  }
}

/** As it is told: SPKI, DER, base64. */
export function toldKey(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'der' }).toString('base64');
}

function keyIn(text: string): KeyObject | null {
  try {
    const key = createPublicKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'spki' });
    return key.asymmetricKeyType === 'ed25519' && toldKey(key) === text ? key : null;
  } catch {
    return null; // whoever asks says what it was for
  }
}

/** null: it is none of these. */
function read(file: string): Map<string, Known> | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
    throw error;
  }
  try {
    const known = Object.entries(JSON.parse(text) as Record<string, Known>);
    return known.every(([journal, { enforcer, key }]) => JOURNAL.test(journal) && typeof enforcer === 'string' && keyIn(key) !== null)
      ? new Map(known)
      : null;
  } catch {
    return null; // not JSON, or not of this form
  }
}
