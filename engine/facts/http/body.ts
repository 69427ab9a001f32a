/** The body of a request: read where its kind is known whole, and otherwise named as what it is (SECURITY H5, H6). */
import type { HttpBody } from '#schemas/http-facts';
import type { Opaque } from '#schemas/sql-facts';
import { type Fields, folded, readFields } from './fields.ts';
import { readJson } from './json.ts';
import { pointerNames } from './json-patch.ts';
import { isJson, type Media, readMedia } from './media.ts';
import { readMultipart } from './multipart.ts';
import { Trouble } from './trouble.ts';
import { utf8 } from './utf8.ts';

export interface ReadBody {
  readonly body: HttpBody;
  readonly opaque: readonly Opaque[];
}

export interface BodyContext {
  /** Values of `content-type` and `content-encoding`, in order. */
  readonly type: readonly string[];
  readonly encoding: readonly string[];
  /** Media types that the operation takes; null: not described. */
  readonly consumes: readonly string[] | null;
}

export function readBody(bytes: Uint8Array, context: BodyContext): ReadBody | Trouble {
  if (context.encoding.length > 0) return new Trouble('unsupported', 'an encoded body cannot be read');
  if (context.type.length > 1) return new Trouble('syntax', 'content-type stands there twice');
  const media = readMedia(context.type[0] ?? '');
  if (media instanceof Trouble) return media;
  if (!media.isUtf8) return new Trouble('encoding', 'a body in another charset: only UTF-8 is read');
  if (bytes.length === 0) return { body: { kind: 'none', media: media.name, bytes: 0, keys: [] }, opaque: [] };
  const read = readAs(kindOf(media.name), bytes, media);
  if (read instanceof Trouble) return read;
  return { body: read.body, opaque: [...read.opaque, ...notTaken(media.name, context.consumes, read)] };
}

type Kind = 'json' | 'lines' | 'form' | 'multipart' | 'xml' | 'text' | 'plain' | 'structured';

function kindOf(media: string): Kind {
  if (isJson(media)) return 'json';
  if (/^application\/(x-)?(nd-?json|jsonlines|json-seq)$|^application\/jsonl$/.test(media)) return 'lines';
  if (media === 'application/x-www-form-urlencoded') return 'form';
  if (media === 'multipart/form-data') return 'multipart';
  if (/[/+]xml$/.test(media)) return 'xml';
  if (/^text\/(plain|csv|markdown)$/.test(media)) return 'text';
  if (/^(image|audio|video|font)\/|^application\/(octet-stream|pdf|zip|gzip|x-tar)$/.test(media)) return 'plain';
  return 'structured';
}

function readAs(kind: Kind, bytes: Uint8Array, { name: media, parameters }: Media): ReadBody | Trouble {
  switch (kind) {
    case 'json':
      return readJsonBody(bytes, media);
    case 'lines':
      return readLines(bytes, media);
    case 'form':
      return readForm(bytes, media);
    case 'multipart':
      return readParts(bytes, media, parameters);
    case 'xml':
      return readXml(bytes, media);
    case 'text': {
      const text = utf8(bytes, 'the body');
      return text instanceof Trouble ? text : { body: { kind: 'text', media, bytes: bytes.length, keys: [] }, opaque: [] };
    }
    case 'plain':
      return { body: binary(bytes, media), opaque: [] };
    case 'structured':
      return { body: binary(bytes, media), opaque: [{ code: 'unsupported', detail: `a body of ${media === '' ? 'no type' : media} is not read` }] };
  }
}

function readJsonBody(bytes: Uint8Array, media: string): ReadBody | Trouble {
  const text = utf8(bytes, 'the body');
  if (text instanceof Trouble) return text;
  const document = readJson(text);
  if (document instanceof Trouble) return document;
  const keys = sorted(new Set([...document.keys, ...pointerNames(document.value)]));
  return { body: { kind: 'json', media, bytes: bytes.length, json: document.value, keys }, opaque: [] };
}

/** One document a line: to policy the list of them. */
function readLines(bytes: Uint8Array, media: string): ReadBody | Trouble {
  const text = utf8(bytes, 'the body');
  if (text instanceof Trouble) return text;
  const keys = new Set<string>();
  const values: unknown[] = [];
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const document = readJson(line, keys);
    if (document instanceof Trouble) return document;
    values.push(document.value);
  }
  return { body: { kind: 'json', media, bytes: bytes.length, json: values, keys: sorted(keys) }, opaque: [] };
}

function readForm(bytes: Uint8Array, media: string): ReadBody | Trouble {
  const text = utf8(bytes, 'the body');
  if (text instanceof Trouble) return text;
  const fields: Fields | Trouble = readFields(text, 'the form');
  if (fields instanceof Trouble) return fields;
  const keys = sorted(new Set(Object.keys(fields).map(folded)));
  return { body: { kind: 'form', media, bytes: bytes.length, json: fields, keys }, opaque: [] };
}

/** Fields as those of a form; files are `parts` alone. */
function readParts(bytes: Uint8Array, media: string, parameters: Media['parameters']): ReadBody | Trouble {
  const read = readMultipart(bytes, parameters);
  if (read instanceof Trouble) return read;
  const { fields, parts, keys, unread } = read;
  return {
    body: { kind: 'multipart', media, bytes: bytes.length, json: fields, parts: [...parts], keys: sorted(keys) },
    opaque: unread.map((what) => ({ code: 'unsupported', detail: `${what} is not read` })),
  };
}

/** A document type reads files and addresses where it is parsed; without one it is text whose structure is not read. */
function readXml(bytes: Uint8Array, media: string): ReadBody | Trouble {
  const text = utf8(bytes, 'the body');
  if (text instanceof Trouble) return text;
  if (/<!(?:doctype|entity)/i.test(text)) return new Trouble('unsupported', 'XML with a document type');
  return {
    body: { kind: 'text', media, bytes: bytes.length, keys: [] },
    opaque: [{ code: 'unsupported', detail: `the structure of ${media} is not read` }],
  };
}

function notTaken(media: string, consumes: readonly string[] | null, { opaque, body }: ReadBody): readonly Opaque[] {
  if (opaque.length > 0) return [];
  if (consumes === null) {
    if (body.kind === 'json' || body.kind === 'form' || (body.kind === 'multipart' && body.parts?.every(({ filename }) => filename === null)))
      return [];
    return [{ code: 'unsupported', detail: `a body of ${media}, which no description mentions` }];
  }
  if (consumes.some((taken) => takes(taken, media))) return [];
  return [{ code: 'unsupported', detail: `the operation takes no ${media} (it takes ${consumes.slice(0, 5).join(', ') || 'no body'})` }];
}

function takes(pattern: string, media: string): boolean {
  if (pattern === '*/*') return true;
  return pattern.endsWith('/*') ? media.startsWith(pattern.slice(0, -1)) : pattern === media;
}

function binary(bytes: Uint8Array, media: string): HttpBody {
  return { kind: 'binary', media, bytes: bytes.length, keys: [] };
}

function sorted(keys: ReadonlySet<string>): string[] {
  return [...keys].toSorted((a, b) => (a < b ? -1 : 1));
}
