/** Reads back the settings that change meaning, over the client's own connection: what the target has is what statements are read under. */
import { LIMITS } from '#enforcers/common/limits';
import { InterlockError } from '#schemas/errors';
import { expect, type Expected } from './expected.ts';
import { ownQuery } from './own-client.ts';
import { isPinnedValue, PINS, TRACKED, type Pin } from './pins.ts';
import { F, int16, int32, message } from './protocol.ts';
import type { TargetConnection } from './upstream.ts';

export type Settings = Readonly<Record<string, string>>;

/** One object for each distinct set, so that the decision service can compare by identity. */
export class SettingSets {
  readonly #sets: Map<string, Settings> = new Map();

  intern(values: Record<string, string>): Settings {
    const key = JSON.stringify(Object.entries(values).toSorted(([a], [b]) => (a < b ? -1 : 1)));
    const known = this.#sets.get(key);
    if (known) return known;
    if (this.#sets.size >= LIMITS.settingSets) this.#sets.clear(); // identity is an optimisation: equal sets are judged equal
    const made = Object.freeze({ ...values });
    this.#sets.set(key, made);
    return made;
  }
}

const NAMES: readonly string[] = [...TRACKED, ...Object.keys(PINS)];
const OWN = '__gw_settings__';

export class SettingsReader {
  readonly #sets: SettingSets;

  constructor(sets: SettingSets) {
    this.#sets = sets;
  }

  /** At the start of a session, before the client is let through. @throws InterlockError */
  async first(connection: TargetConnection): Promise<Settings> {
    const columns = NAMES.map((name) => `pg_catalog.current_setting('${name}')`);
    return this.#checked((await ownQuery(connection, `SELECT ${columns.join(', ')}`))[0] ?? []);
  }

  /**
   * Messages that ask, and their places in the answers; the caller adds Flush or Sync. The answer is null when the target refused
   * (the transaction has failed), and rejects when a pin has moved: the session must end.
   */
  ask(
    push: (entry: Expected) => void,
    segment: number,
    syncSegment: number | null,
  ): { readonly messages: readonly Buffer[]; readonly answer: Promise<Settings | null> } {
    const { promise, resolve, reject } = Promise.withResolvers<Settings | null>();
    const values: (string | null)[] = [];
    const messages: Buffer[] = [];
    const own = (last: boolean): Expected['own'] => ({
      row: (value) => values.push(value),
      done: (ok) => {
        if (!ok) resolve(null);
        else if (last) settle();
      },
    });
    const settle = (): void => {
      try {
        resolve(this.#checked(values));
      } catch (error) {
        reject(error as Error);
      }
    };
    for (const name of NAMES) {
      messages.push(
        // SHOW takes no snapshot, so it may stand before SET TRANSACTION
        message(F.parse, OWN, `SHOW ${name}`, int16(0)),
        message(F.bind, OWN, OWN, int16(0), int16(0), int16(0)),
        message(F.execute, OWN, int32(0)),
        message(F.close, Buffer.from('P'), OWN),
        message(F.close, Buffer.from('S'), OWN),
      );
      const last = name === NAMES.at(-1);
      for (let step = 0; step < 5; step++) push(expect('own', segment, { own: own(last && step === 4 && syncSegment === null) }));
    }
    if (syncSegment !== null) push(expect('sync', syncSegment, { own: own(true) }));
    return { messages, answer: promise };
  }

  #checked(values: readonly (string | null)[]): Settings {
    const settings: Record<string, string> = {};
    for (const [index, name] of NAMES.entries()) {
      const value = values[index];
      if (value === null || value === undefined) throw new InterlockError('TARGET_UNREACHABLE', `the target did not say what ${name} is`);
      if (value.length > LIMITS.settingBytes) throw new InterlockError('BUDGET_TEXT', `the value of ${name} is longer than the limit`);
      if (!Object.hasOwn(PINS, name)) settings[name] = value;
      else if (!isPinnedValue(name as Pin, value))
        throw new InterlockError('PIN_REFUSED', `${name} is ${value} at the target, not ${PINS[name as Pin]}`);
    }
    return this.#sets.intern(settings);
  }
}
