/**
 * Target credentials: one lease a session, read or made anew each time, renewed as long as somebody holds it, and revoked with the session.
 * Held in this process, or by an enforcer elsewhere, which says now and then which it still uses.
 */
import type { Clock } from '#client/clock';
import type { Credentials, HeldLease, Lease } from '#client/credentials';
import type { Ids } from '#client/ids';
import { InterlockError } from '#schemas/errors';
import { LeaseBook } from './lease-book.ts';
import { HIDDEN_MS, LEASES_MAX, READ_MS_MAX } from './limits.ts';
import type { SecretLog } from './secret-log.ts';
import type { Credential, CredentialSource } from './source.ts';

export interface CredentialOptions {
  /** null: there is no such target. */
  readonly sourceOf: (target: string) => CredentialSource | null;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: SecretLog;
}

export interface CredentialDesk extends Credentials {
  /** @param holder an enforcer elsewhere; absent: this process */
  lease(target: string, holder?: string): Promise<Lease>;
  /**
   * An enforcer elsewhere still uses these. Those that another engine issued, or this one before it was started anew, are taken over.
   * @returns ids of those that are not its own, or that nobody can renew: it stops speaking of them
   */
  keep(holder: string, target: string, leases: readonly HeldLease[]): readonly string[];
  /** What this holder has ends with it: it was removed. */
  releaseAll(holder: string): void;
  /** How many are held. */
  readonly held: number;
  /** Revokes what was made for this process; what others hold they go on with, at another engine. */
  close(): Promise<void>;
}

/** Of this process. */
const OURS = '';

export function openCredentials({ sourceOf, clock, ids, log }: CredentialOptions): CredentialDesk {
  const book = new LeaseBook(clock, log);
  const reading = new Map<string, Promise<Credential>>();
  const hidden = new Map<string, string>();

  /** Sessions that arrive together share one reading: a program is not started a hundred times. What is made is made for each. */
  const issue = (target: string, source: CredentialSource): Promise<Credential> => {
    if (source.revoke !== undefined) return inTime(source);
    let shared = reading.get(target);
    if (!shared) {
      shared = inTime(source).finally(() => reading.delete(target));
      reading.set(target, shared);
    }
    return shared;
  };

  const hide = (target: string, { password, grant }: Credential): void => {
    // before anybody can use it, and so before anybody can log it
    if (grant !== undefined || hidden.get(target) !== password) log.hide(password);
    if (grant === undefined) hidden.set(target, password);
    // each session has another: once it signed in nobody holds it, and the log need not look for it for ever
    else setTimeout(() => log.forget(password), HIDDEN_MS).unref();
  };

  return {
    get held() {
      return book.size;
    },
    async lease(target, holder = OURS): Promise<Lease> {
      try {
        if (book.size >= LEASES_MAX) throw unavailable(`there are ${LEASES_MAX} leases already`);
        const source = sourceOf(target);
        if (source === null) throw new InterlockError('CREDENTIAL_UNAVAILABLE', 'this target has no credential');
        const credential = await issue(target, source);
        hide(target, credential);
        const { user, password, role, scheme, grant } = credential;
        const id = ids.next('lea');
        if (grant !== undefined) book.add({ id, holder, target, source, grant });
        return {
          id,
          user,
          password,
          ...(role !== undefined && { role }),
          ...(scheme !== undefined && { scheme }),
          ...(grant !== undefined && { handle: grant.handle }),
        };
      } catch (error) {
        const known = error instanceof InterlockError ? error : unavailable('its reference could not be read');
        log.error({ target: target.slice(0, 64), code: known.code, reason: known.message }, 'a credential could not be had');
        // No cause: whatever a reader threw may repeat what it read.
        throw known.code === 'CREDENTIAL_UNAVAILABLE' ? known : unavailable(known.message);
      }
    },
    release: ({ id }) => book.end(id),
    keep: (holder, target, leases) => leases.flatMap((lease) => (book.keep(holder, target, lease, sourceOf(target)) ? [] : [lease.id])),
    releaseAll: (holder) => book.endAll(holder),
    close: () => book.close(OURS),
  };
}

async function inTime(source: CredentialSource): Promise<Credential> {
  const late = Promise.withResolvers<never>();
  const issuing = source.issue();
  let over = false;
  const timer = setTimeout(() => {
    over = true;
    late.reject(unavailable(`it was not read within ${READ_MS_MAX / 1000} s`));
  }, READ_MS_MAX);
  // whoever waited has been refused: what was made after all is nobody's
  issuing.then(({ grant }) => (over && grant !== undefined ? source.revoke?.(grant.handle) : undefined)).catch(() => {});
  try {
    return await Promise.race([issuing, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function unavailable(why: string): InterlockError {
  return new InterlockError('CREDENTIAL_UNAVAILABLE', `the target’s credential could not be had: ${why}`);
}
