/** Target credentials, one lease a session, read anew each time: a password that was changed counts from the next session on. */
import type { Credentials, Lease } from '#client/credentials';
import type { Ids } from '#client/ids';
import type { Log } from '#client/log';
import { InterlockError } from '#schemas/errors';

export interface Credential {
  readonly user: string;
  readonly password: string;
}

export interface CredentialOptions {
  /** By target: reads the reference. Rejects CREDENTIAL_UNAVAILABLE, naming the reference and never the value. */
  readonly targets: Readonly<Record<string, () => Promise<Credential>>>;
  readonly ids: Ids;
  /** `hide`: from now on this value is in no line of the log. */
  readonly log: Log & { hide(secret: string): void };
}

/** No session waits longer for a program that should print a password. */
const READ_MS_MAX = 15_000;

export function openCredentials(options: CredentialOptions): Credentials {
  const { targets, ids, log } = options;
  const reading = new Map<string, Promise<Credential>>();
  const hidden = new Map<string, string>();

  /** Sessions that arrive together share one reading: a program is not started a hundred times. */
  const read = (target: string): Promise<Credential> => {
    const source = Object.hasOwn(targets, target) ? targets[target] : undefined;
    if (!source) throw new InterlockError('CREDENTIAL_UNAVAILABLE', 'this target has no credential');
    let shared = reading.get(target);
    if (!shared) {
      shared = inTime(source()).finally(() => reading.delete(target));
      reading.set(target, shared);
    }
    return shared;
  };

  return {
    async lease(target: string): Promise<Lease> {
      try {
        const { user, password } = await read(target);
        // Before anybody can use it, and so before anybody can log it.
        if (hidden.get(target) !== password) log.hide(password);
        hidden.set(target, password);
        return { id: ids.next('lea'), user, password };
      } catch (error) {
        const known = error instanceof InterlockError ? error : unavailable('its reference could not be read');
        log.error({ target: target.slice(0, 64), code: known.code, reason: known.message }, 'a credential could not be had');
        // No cause: whatever a reader threw may repeat what it read.
        throw known.code === 'CREDENTIAL_UNAVAILABLE' ? known : unavailable(known.message);
      }
    },
  };
}

async function inTime(reading: Promise<Credential>): Promise<Credential> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(unavailable(`it was not read within ${READ_MS_MAX / 1000} s`)), READ_MS_MAX);
  try {
    return await Promise.race([reading, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function unavailable(why: string): InterlockError {
  return new InterlockError('CREDENTIAL_UNAVAILABLE', `the target’s credential could not be had: ${why}`);
}
