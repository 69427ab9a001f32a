import { destination, pino, type DestinationStream, type Logger } from 'pino';
import type { Log } from '#client/log';
import type { LogLevel } from './config.ts';

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: 'json' | 'pretty';
  /** Values that must never be written, whatever they stand in (I7). More can be added later: see RedactingLog. */
  readonly secrets: Iterable<string>;
  /** stderr unless given. */
  readonly to?: DestinationStream;
}

/** A log that can be told of secrets as they become known. */
export interface RedactingLog extends Log {
  /** From now on this value is replaced in every line, in each of the forms that it takes in JSON and addresses. */
  hide(secret: string): void;
  /** It opens nothing any more: what is made for one session would otherwise be looked for in every line for ever. */
  forget(secret: string): void;
  /** From now on only what is at least so grave is written. */
  setLevel(level: LogLevel): void;
}

/**
 * pino on stderr. Redaction is on the finished line, not on field names: a credential inside an error text of a driver is found too.
 */
export function openLog(options: LogOptions): RedactingLog {
  const hidden: string[] = [];
  const hide = (secret: string): void => {
    if (secret.length < SHORTEST) return; // "a" would garble every line
    for (const form of forms(secret)) if (!hidden.includes(form)) hidden.push(form);
    hidden.sort((a, b) => b.length - a.length); // one secret may begin another
  };
  const forget = (secret: string): void => {
    for (const form of forms(secret)) if (hidden.includes(form)) hidden.splice(hidden.indexOf(form), 1);
  };
  for (const secret of options.secrets) hide(secret);
  const out = options.to ?? destination({ fd: 2, sync: true });
  const to: DestinationStream = {
    write: (line) => {
      out.write(options.format === 'pretty' ? pretty(redacted(line, hidden)) : redacted(line, hidden));
    },
  };
  const logger: Logger = pino(
    { level: options.level, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"`, formatters: { level: (level) => ({ level }) } },
    to,
  );
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    hide,
    forget,
    setLevel: (level) => void (logger.level = level),
  };
}

const SHORTEST = 4;

/** As itself, inside JSON, inside JSON inside JSON, in an address, and in the base64 that SASL sends. */
function forms(secret: string): readonly string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  return [secret, json, JSON.stringify(json).slice(1, -1), encodeURIComponent(secret), Buffer.from(secret).toString('base64')];
}

function redacted(line: string, hidden: readonly string[]): string {
  let safe = line;
  for (const form of hidden) if (safe.includes(form)) safe = safe.replaceAll(form, '[hidden]');
  return safe;
}

/** One line a record; control characters stay escaped as JSON escaped them, so no record can fake another or drive the terminal. */
function pretty(line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(fields).map(
    ([key, value]) => ` ${key}=${typeof value === 'string' && /^[\w.:/@%+-]+$/.test(value) ? value : JSON.stringify(value)}`,
  );
  return `${String(time).slice(11, 19)} ${String(level).padEnd(5)} ${printable(String(msg))}${printable(rest.join(''))}\n`;
}

/** Bidi, zero-width, tag and C1 characters pass JSON unescaped (M8). */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);
}
