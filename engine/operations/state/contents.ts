/**
 * What an export holds: a manifest, and the files that it names, one behind the other.
 *
 *   u32 length of the manifest, little-endian · manifest (JSON) · bytes of the first file · bytes of the second …
 */
import { createHash } from 'node:crypto';
import { Compile } from 'typebox/compile';
import type { Static } from 'typebox';
import { Timestamp } from '#schemas/common';
import { bad } from './envelope.ts';

const FILES_MAX = 10_000;
/** Keys, certificates, counters: not a journal. */
export const BYTES_MAX = 64 * 1024 * 1024;

const text = { type: 'string', maxLength: 1_024 } as const;
const count = { type: 'integer', minimum: 0 } as const;

/** `name`: below the state directory, or one of the keys that may stand elsewhere. */
const Entry = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'mode', 'bytes', 'sha256'],
  properties: {
    name: { type: 'string', pattern: '^(state|checkpoint-key|identity)(/[A-Za-z0-9_][A-Za-z0-9._-]{0,200}){1,8}$' },
    mode: { type: 'integer', minimum: 0, maximum: 0o777 },
    bytes: count,
    sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' },
  },
} as const;

const Manifest = {
  type: 'object',
  additionalProperties: false,
  required: ['contract', 'version', 'created_at', 'role', 'revision', 'journal', 'files'],
  properties: {
    contract: { const: 1 },
    version: text,
    created_at: Timestamp,
    role: { enum: ['up', 'engine', 'enforcer'] },
    /** Of the policies in force in a process that ran; null: none did. */
    revision: { anyOf: [text, { type: 'null' }] },
    /** The newest checkpoint of the journal beside it, which is not in the export; null: there was none. */
    journal: {
      anyOf: [
        {
          type: 'object',
          additionalProperties: false,
          required: ['dir', 'records', 'root'],
          properties: { dir: text, records: count, root: text },
        },
        { type: 'null' },
      ],
    },
    files: { type: 'array', maxItems: FILES_MAX, items: Entry },
  },
} as const;
export type Manifest = Static<typeof Manifest>;

export interface StateFile {
  readonly name: string;
  readonly mode: number;
  readonly bytes: Buffer;
}

export interface Contents {
  readonly manifest: Omit<Manifest, 'files'>;
  readonly files: readonly StateFile[];
}

const form = Compile(Manifest);

export function pack({ manifest, files }: Contents): Buffer {
  const entries = files.map(({ name, mode, bytes }) => ({ name, mode, bytes: bytes.length, sha256: sum(bytes) }));
  const json = Buffer.from(JSON.stringify({ ...manifest, files: entries }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return Buffer.concat([length, json, ...files.map(({ bytes }) => bytes)]);
}

/** @throws InterlockError STATE_EXPORT: damaged */
export function unpack(body: Buffer): Contents {
  const { files, ...manifest } = manifestOf(body);
  let at = 4 + body.readUInt32LE(0);
  const read = files.map(({ name, mode, bytes, sha256 }) => {
    const content = body.subarray(at, at + bytes);
    at += bytes;
    if (content.length !== bytes || sum(content) !== sha256) throw bad(`is damaged: ${name} is another`);
    return { name, mode, bytes: content };
  });
  if (at !== body.length) throw bad('is damaged: it holds more than its manifest names');
  if (new Set(files.map(({ name }) => name)).size !== files.length) throw bad('is damaged: it names a file twice');
  return { manifest, files: read };
}

function manifestOf(body: Buffer): Manifest {
  try {
    const value: unknown = JSON.parse(body.subarray(4, 4 + body.readUInt32LE(0)).toString('utf8'));
    if (form.Check(value)) return value;
  } catch (error) {
    throw bad('is damaged: its manifest cannot be read', error);
  }
  throw bad('is damaged, or of a later version: its manifest has another form');
}

function sum(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
