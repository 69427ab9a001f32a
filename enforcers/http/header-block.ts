/** The headers of a request, with what they say of the message itself. */
import type { HeaderList } from './answer.ts';
import { type Framing, framingOf, Malformed, ONCE, onlyValue, readRequestFields } from './head.ts';
import { HTTP_LIMITS } from './limits.ts';

export interface HeaderBlock {
  /** As they came. */
  readonly bytes: Buffer;
  /** The same object as long as the client says the same. */
  readonly list: HeaderList;
  readonly authority: string;
  readonly framing: Framing;
  /** `Expect: 100-continue` */
  readonly expects: boolean;
  /** `Connection: close` */
  readonly closes: boolean;
}

/** From `start` to `end`, without the empty line. `last`: what was read before it, and is what it says again if it is the same bytes. @throws Malformed */
export function readHeaderBlock(buffer: Buffer, start: number, end: number, last: HeaderBlock | null): HeaderBlock {
  if (last !== null && last.bytes.length === end - start && last.bytes.compare(buffer, start, end) === 0) return last;
  const bytes = Buffer.from(buffer.subarray(start, end));
  const { list, authority } = readRequestFields(start === end ? null : bytes.toString('latin1'), HTTP_LIMITS.headers);
  for (const name of ONCE) onlyValue(list, name);
  const framing = framingOf(list, 'none');
  const closes = list.some(([name, value]) => name === 'connection' && /\bclose\b/i.test(value));
  return { bytes, list, authority, framing, expects: expected(list), closes };
}

/** @throws Malformed for anything but the one expectation there is */
function expected(headers: HeaderList): boolean {
  const value = onlyValue(headers, 'expect');
  if (value === undefined) return false;
  if (value.toLowerCase() !== '100-continue') throw new Malformed(417, 'an expectation that is not known');
  return true;
}
