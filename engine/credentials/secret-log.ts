/** The log, as whoever reads secrets needs it. */
import type { Log } from '#client/log';

export type SecretLog = Log & {
  /** From now on this value is in no line of the log. */
  hide(secret: string): void;
  /** It opens nothing any more. */
  forget(secret: string): void;
};
