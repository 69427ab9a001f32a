/** One part of a multipart body: its head, and what its content is. */
import { createHash } from 'node:crypto';
import type { HttpPart } from '#schemas/http-facts';
import { folded, nameTrouble } from './fields.ts';
import { readJson } from './json.ts';
import { HTTP_FACTS_LIMITS } from './limits.ts';
import { isJson, type Media, readMedia } from './media.ts';
import { Trouble } from './trouble.ts';
import { utf8 } from './utf8.ts';

export type Part = HttpPart;

export interface PartRead {
  readonly said: Part;
  /** Of a field: its text, its JSON, or null where it is not read. */
  readonly value: unknown;
  /** Why it is not; null: it is. */
  readonly unread: string | null;
}

export function part(bytes: Buffer, keys: Set<string>): PartRead | Trouble {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return wrong('a part has no head');
  const content = bytes.subarray(end + 4);
  const head = readHead(bytes.subarray(0, end), content.length);
  if (head instanceof Trouble) return head;
  keys.add(folded(head.name));
  const said = { ...describe(head), bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
  const json = isJson(head.media.name);
  if (json && !head.media.isUtf8) return new Trouble('encoding', 'multipart: JSON that is not said to be UTF-8');
  if (json) return withJson(said, content, keys);
  if (head.filename !== null) return { said, value: null, unread: null };
  if (head.media.name !== '' && head.media.name !== 'text/plain')
    return { said, value: null, unread: `the field ${quoted(head.name)} of ${head.media.name}` };
  if (!head.media.isUtf8) return new Trouble('encoding', 'multipart: a field in a charset other than UTF-8');
  const text = utf8(content, 'a field');
  return text instanceof Trouble ? text : { said: { ...said, kind: 'text', text }, value: text, unread: null };
}

function withJson(said: Part, content: Buffer, keys: Set<string>): PartRead | Trouble {
  const text = utf8(content, 'a part');
  if (text instanceof Trouble) return text;
  const document = readJson(text, keys);
  return document instanceof Trouble ? document : { said: { ...said, kind: 'json', json: document.value }, value: document.value, unread: null };
}

interface Head {
  readonly name: string;
  readonly filename: string | null;
  readonly media: Media;
}

function describe({ name, filename, media }: Head): Pick<Part, 'name' | 'filename' | 'media' | 'kind'> {
  return { name, filename, media: media.name, kind: media.name.startsWith('text/') ? 'text' : 'binary' };
}

/** What some servers would undo before they look at a content, and others not. */
const IDENTITY = /^(?:7bit|8bit|binary)$/i;

function readHead(bytes: Buffer, length: number): Head | Trouble {
  if (bytes.length > HTTP_FACTS_LIMITS.partHeadBytes) return new Trouble('budget', `multipart: the head of a part has ${bytes.length} bytes`);
  const text = utf8(bytes, 'the head of a part');
  if (text instanceof Trouble) return text;
  const found = new Map<string, string>();
  for (const line of text.split('\r\n')) {
    const [, written, value] = /^([A-Za-z-]+):[ \t]*([^\p{Cc}]*?)[ \t]*$/u.exec(line) ?? [];
    if (written === undefined || value === undefined) return wrong('a line in the head of a part is malformed');
    const name = written.toLowerCase();
    if (found.has(name)) return wrong(`${name} stands twice in the head of a part`);
    found.set(name, value);
  }
  return headOf(found, length);
}

const KNOWN: ReadonlySet<string> = new Set(['content-disposition', 'content-type', 'content-length', 'content-transfer-encoding']);

function headOf(found: ReadonlyMap<string, string>, length: number): Head | Trouble {
  const other = [...found.keys()].find((name) => !KNOWN.has(name));
  if (other !== undefined) return new Trouble('unsupported', `multipart: ${other.slice(0, 64)} in the head of a part`);
  const said = found.get('content-length');
  if (said !== undefined && said !== String(length)) return wrong('a part is not as long as it says');
  if (!IDENTITY.test(found.get('content-transfer-encoding') ?? 'binary')) return new Trouble('unsupported', 'multipart: an encoded part');
  const named = disposition(found.get('content-disposition') ?? '');
  if (named instanceof Trouble) return named;
  const media = readMedia(found.get('content-type') ?? '');
  if (media instanceof Trouble) return media;
  if (media.name.startsWith('multipart/')) return new Trouble('unsupported', 'multipart: a part that is multipart itself');
  if (named.filename === '' && length > 0) return wrong('a file that has no name');
  return { ...named, media };
}

/** In this order and these quotes alone: servers look for `name="` in many ways, and find it in other places. */
const DISPOSITION = /^form-data; ?name="([^"]*)"(?:; ?filename="([^"]*)")?$/;

function disposition(text: string): Pick<Head, 'name' | 'filename'> | Trouble {
  if (/;[ \t]*filename\*/i.test(text)) return new Trouble('unsupported', 'multipart: filename*, which RFC 7578 does not have');
  const [, name, filename] = DISPOSITION.exec(text) ?? [];
  if (name === undefined) return wrong('content-disposition must be form-data; name="…", with filename="…" behind it for a file');
  if (name === '') return wrong('a part without a name');
  // another charset for every field, to those who know it (RFC 7578 §4.6)
  if (name.toLowerCase() === '_charset_') return new Trouble('unsupported', 'multipart: the name _charset_');
  if (oddity(name) || (filename !== undefined && oddity(filename))) return wrong('a name with a character that some servers read otherwise');
  if (filename !== undefined && climbs(filename)) return wrong('a filename that leads somewhere else');
  const trouble = nameTrouble(name, 'a part');
  if (trouble !== null) return trouble;
  if (Buffer.byteLength(filename ?? '') > HTTP_FACTS_LIMITS.filenameBytes)
    return new Trouble('budget', `multipart: a filename of more than ${HTTP_FACTS_LIMITS.filenameBytes} bytes`);
  return { name, filename: filename ?? null };
}

/** Separators of parameters, escapes, what browsers write for a quote or a line break, and what cannot be seen. */
function oddity(text: string): boolean {
  return /[\\;]|%(?:22|0d|0a|00)|[\p{Cc}\p{Cf}]/iu.test(text);
}

function climbs(filename: string): boolean {
  return filename.startsWith('/') || filename.split('/').some((step) => step === '..' || step === '.');
}

function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 64));
}

function wrong(why: string): Trouble {
  return new Trouble('syntax', `multipart: ${why}`);
}
