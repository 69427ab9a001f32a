/**
 * `multipart/form-data` (RFC 7578, RFC 2046 §5.1.1), taken only in the one form that every server reads alike:
 *
 *     --boundary CRLF
 *     Content-Disposition: form-data; name="n"; filename="f" CRLF
 *     Content-Type: image/png CRLF
 *     CRLF
 *     content CRLF
 *     --boundary-- [CRLF]
 *
 * Nothing in front of it and nothing behind; the boundary nowhere but where a part begins or the last one ends.
 */
import { part, type Part, type PartRead } from './multipart-part.ts';
import { HTTP_FACTS_LIMITS } from './limits.ts';
import { Trouble } from './trouble.ts';

export interface Multipart {
  readonly parts: readonly Part[];
  /** Of the fields: name → values, in order. Files are `parts` alone. */
  readonly fields: Record<string, unknown[]>;
  /** Names of parts and of members of JSON in them, folded. */
  readonly keys: ReadonlySet<string>;
  /** What of the parts is not read. */
  readonly unread: readonly string[];
}

export function readMultipart(bytes: Uint8Array, parameters: readonly (readonly [name: string, value: string])[]): Multipart | Trouble {
  const boundary = boundaryOf(parameters);
  if (boundary instanceof Trouble) return boundary;
  const pieces = cut(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), boundary);
  if (pieces instanceof Trouble) return pieces;
  const keys = new Set<string>();
  const read: PartRead[] = [];
  for (const piece of pieces) {
    const one = part(piece, keys);
    if (one instanceof Trouble) return one;
    read.push(one);
  }
  return gathered(read, keys);
}

/** RFC 2046's `bchars` without the blank: quoted or not, it is the same text to everybody. */
const BOUNDARY = /^[0-9A-Za-z'()+_,./:=?-]{1,70}$/;

function boundaryOf(parameters: readonly (readonly [name: string, value: string])[]): string | Trouble {
  const known = parameters.filter(([name]) => name !== 'charset');
  if (known.length !== 1 || known[0]?.[0] !== 'boundary') return wrong('content-type must have one boundary, and nothing else');
  const [, written] = known[0];
  const boundary = written.startsWith('"') ? written.slice(1, -1) : written;
  return BOUNDARY.test(boundary) ? boundary : wrong('the boundary holds a character that stands in none');
}

/** Heads and contents of the parts. Every occurrence of the boundary must be a delimiter: some servers take it for one where it is not. */
function cut(bytes: Buffer, boundary: string): Buffer[] | Trouble {
  const mark = Buffer.from(`--${boundary}`, 'latin1');
  // quotes around a boundary belong to it for some
  if (bytes.includes(`--"${boundary}`)) return wrong('the boundary stands in quotes inside the body');
  if (!bytes.subarray(0, mark.length).equals(mark)) return wrong('something stands in front of the first boundary');
  const pieces: Buffer[] = [];
  for (let at = mark.length; ; ) {
    const ends = closes(bytes, at);
    if (ends instanceof Trouble) return ends;
    if (ends) return pieces;
    if (pieces.length >= HTTP_FACTS_LIMITS.parts) return new Trouble('budget', `multipart: more than ${HTTP_FACTS_LIMITS.parts} parts`);
    const next = bytes.indexOf(mark, at + 2);
    if (next < 0) return wrong('the last boundary is missing');
    if (next < at + 4 || bytes.toString('latin1', next - 2, next) !== '\r\n') return wrong('the boundary stands inside a part');
    pieces.push(bytes.subarray(at + 2, next - 2));
    at = next + mark.length;
  }
}

/** Behind a boundary: false where a part begins; nothing may stand there but what must. */
function closes(bytes: Buffer, at: number): boolean | Trouble {
  const two = bytes.toString('latin1', at, at + 2);
  if (two === '\r\n') return false;
  if (two !== '--') return wrong('something stands behind a boundary on its line');
  const rest = bytes.toString('latin1', at + 2, at + 5);
  return rest === '' || rest === '\r\n' ? true : wrong('something stands behind the last boundary');
}

/** A name that is once a field and once a file: which of them counts, servers do not agree on. */
function gathered(read: readonly PartRead[], keys: ReadonlySet<string>): Multipart | Trouble {
  const fields: Record<string, unknown[]> = {};
  const files = new Set(read.flatMap(({ said }) => (said.filename === null ? [] : [said.name])));
  for (const { said, value } of read) {
    if (said.filename !== null) continue;
    if (files.has(said.name)) return wrong(`${JSON.stringify(said.name.slice(0, 64))} is a field and a file`);
    if (Object.hasOwn(fields, said.name)) fields[said.name]?.push(value);
    else fields[said.name] = [value];
  }
  return { parts: read.map(({ said }) => said), fields, keys, unread: read.flatMap(({ unread }) => (unread === null ? [] : [unread])) };
}

function wrong(why: string): Trouble {
  return new Trouble('syntax', `multipart: ${why}`);
}
