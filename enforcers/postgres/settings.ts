/** The settings that change meaning, as the target has them: read back whenever a statement may have changed one. */
import type { Socket } from 'node:net';
import { LIMITS } from '#enforcers/common/limits';
import { InterlockError } from '#schemas/errors';
import { ownQuery } from './own-client.ts';
import { isPinnedValue, PINS, TRACKED, type Pin } from './pins.ts';
import type { TargetConnection } from './upstream.ts';

export type Settings = Readonly<Record<string, string>>;

const NAMES: readonly string[] = [...TRACKED, ...Object.keys(PINS)];

/** SHOW takes no snapshot, so it may stand before SET TRANSACTION. */
export const SETTINGS_TEXTS: readonly string[] = NAMES.map((name) => `SHOW ${name}`);

/** One object for each distinct set, so that the decision service can compare by identity. */
export class SettingSets {
  readonly #sets: Map<string, Settings> = new Map();
  /** Users that were made for one session: what they are called. */
  readonly #roles: Map<string, string> = new Map();

  /** As long as this connection lives: approvals and surveys must not depend on which user somebody was given. */
  calls(user: string, role: string, until: Socket): void {
    this.#roles.set(user, role);
    until.once('close', () => this.#roles.delete(user));
  }

  /** At the start of a session, before the client is let through. @throws InterlockError */
  async first(connection: TargetConnection): Promise<Settings> {
    const columns = NAMES.map((name) => `pg_catalog.current_setting('${name}')`);
    return this.of((await ownQuery(connection, `SELECT ${columns.join(', ')}`))[0] ?? []);
  }

  /** Answers to SETTINGS_TEXTS. @throws InterlockError PIN_REFUSED when a pin has moved: the session must end. */
  of(values: readonly (string | null)[]): Settings {
    const settings: Record<string, string> = {};
    for (const [index, name] of NAMES.entries()) {
      const value = values[index];
      if (value === null || value === undefined) throw new InterlockError('TARGET_UNREACHABLE', `the target did not say what ${name} is`);
      if (value.length > LIMITS.settingBytes) throw new InterlockError('BUDGET_TEXT', `the value of ${name} is longer than the limit`);
      if (name === 'session_authorization') settings[name] = this.#roles.get(value) ?? value;
      else if (!Object.hasOwn(PINS, name)) settings[name] = value;
      else if (!isPinnedValue(name as Pin, value))
        throw new InterlockError('PIN_REFUSED', `${name} is ${value} at the target, not ${PINS[name as Pin]}`);
    }
    return this.#intern(settings);
  }

  #intern(settings: Record<string, string>): Settings {
    const key = JSON.stringify(settings);
    const known = this.#sets.get(key);
    if (known) return known;
    if (this.#sets.size >= LIMITS.settingSets) this.#sets.clear(); // identity is an optimisation: equal sets are judged equal
    const made = Object.freeze(settings);
    this.#sets.set(key, made);
    return made;
  }
}
