/** Bytes as the one text that every decoder makes of them. */
import { Trouble } from './trouble.ts';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** `what`: as a refusal names it, such as `the body`. */
export function utf8(bytes: Uint8Array, what: string): string | Trouble {
  let text: string;
  try {
    text = strict.decode(bytes);
  } catch {
    return new Trouble('encoding', `${what} is not well-formed UTF-8`);
  }
  if (text.startsWith('\ufeff')) return new Trouble('encoding', `${what} begins with a byte order mark`);
  return text.includes('\0') ? new Trouble('encoding', `${what} holds NUL`) : text;
}
