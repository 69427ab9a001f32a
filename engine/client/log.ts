/** What the rest sees of the logger (pino lives in engine/config). Fields first, then a constant message; never a secret, never statement text above debug. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
