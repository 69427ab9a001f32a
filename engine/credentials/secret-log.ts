/** The log, as whoever reads secrets needs it. */
import type { Log } from '#client/log';

export type SecretLog = Log & {
  /** From now on this value is in no line of the log. */
  hide(secret: string): void;
  /** It opens nothing any more. */
  forget(secret: string): void;
};

/** Hides a secret that is replaced now and then; the one before the last is forgotten, or the log would look for all that ever were. */
export function hidingTheNewest(log: Pick<SecretLog, 'hide' | 'forget'>): (secret: string) => void {
  let last: readonly string[] = [];
  return (secret) => {
    if (last.includes(secret)) return;
    log.hide(secret);
    const [older] = last.length > 1 ? last : [];
    if (older !== undefined) log.forget(older);
    last = [...last.slice(-1), secret];
  };
}
