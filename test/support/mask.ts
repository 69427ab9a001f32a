/** What the mask tests share: the schema of test/cases/mask, its masks, and a connection whose every byte is seen. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { parse } from 'yaml';
import { readCatalog } from '#enforcers/postgres/catalog';
import type { Catalog } from '#schemas/catalog';
import type { Mask } from '#schemas/decision';

export const root: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export function maskCases<T>(file: string): T {
  return parse(readFileSync(join(root, 'test', 'cases', 'mask', file), 'utf8')) as T;
}

export function maskSchema(): string {
  return readFileSync(join(root, 'test', 'cases', 'mask', 'schema.sql'), 'utf8');
}

export function sameMask(columns: readonly string[], mask: Mask): ReadonlyMap<string, Mask> {
  return new Map(columns.map((column) => [column, mask]));
}

export async function catalogOf(client: pg.Client): Promise<Catalog> {
  return readCatalog(
    async (sql) => (await client.query<(string | null)[]>({ text: sql, rowMode: 'array', types: { getTypeParser: () => String } })).rows,
  );
}

/** One column of a RowDescription; https://www.postgresql.org/docs/current/protocol-message-formats.html */
export interface Field {
  readonly name: string;
  readonly table: number;
  readonly attnum: number;
  readonly type: number;
  readonly length: number;
  readonly typmod: number;
}

/** What a server said to one question. */
export interface Heard {
  readonly bytes: Buffer;
  readonly fields: readonly (readonly Field[])[];
  /** DataRow and CopyData bodies, in the order of arrival. */
  readonly rows: readonly string[];
  readonly tags: readonly string[];
  /** SQLSTATEs. */
  readonly errors: readonly string[];
}

export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Asks in simple mode, or in extended mode when there are parameters or `extended` is set. */
export async function ask(
  client: pg.Client,
  sql: string,
  options: { readonly params?: readonly unknown[]; readonly extended?: boolean } = {},
): Promise<Heard> {
  const { stream } = (client as unknown as { connection: { stream: NodeJS.ReadableStream } }).connection;
  const chunks: Buffer[] = [];
  const listen = (chunk: Buffer): void => void chunks.push(Buffer.from(chunk));
  stream.prependListener('data', listen);
  try {
    const mode = options.extended === true || options.params !== undefined ? { queryMode: 'extended', values: [...(options.params ?? [])] } : {};
    await client.query({ text: sql, rowMode: 'array', types: { getTypeParser: () => String }, ...mode } as pg.QueryArrayConfig);
  } catch (error) {
    if ((error as { code?: string }).code === undefined) throw error;
    // the promise is rejected at ErrorResponse; ReadyForQuery may still be on its way
    if (!endsReady(Buffer.concat(chunks))) await once(stream as unknown as NodeJS.EventEmitter, 'data');
  } finally {
    stream.off('data', listen);
  }
  return heard(Buffer.concat(chunks));
}

function endsReady(bytes: Buffer): boolean {
  return bytes.length >= 6 && bytes[bytes.length - 6] === 0x5a && bytes.readInt32BE(bytes.length - 5) === 5;
}

function heard(bytes: Buffer): Heard {
  const fields: (readonly Field[])[] = [];
  const rows: string[] = [];
  const tags: string[] = [];
  const errors: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const type = String.fromCharCode(bytes[at] as number);
    const end = at + 1 + bytes.readInt32BE(at + 1);
    const body = bytes.subarray(at + 5, end);
    if (type === 'T') fields.push(rowDescription(body));
    else if (type === 'D' || type === 'd') rows.push(body.toString('latin1'));
    else if (type === 'C') tags.push(body.toString('latin1'));
    else if (type === 'E') errors.push(/(?:^|\0)C(.{5})\0/s.exec(body.toString('latin1'))?.[1] ?? '?');
    at = end;
  }
  return { bytes, fields, rows, tags, errors };
}

function rowDescription(body: Buffer): readonly Field[] {
  const fields: Field[] = [];
  let at = 2;
  for (let left = body.readInt16BE(0); left > 0; left -= 1) {
    const zero = body.indexOf(0, at);
    const name = body.toString('utf8', at, zero);
    at = zero + 1;
    fields.push({
      name,
      table: body.readUInt32BE(at),
      attnum: body.readInt16BE(at + 4),
      type: body.readUInt32BE(at + 6),
      length: body.readInt16BE(at + 10),
      typmod: body.readInt32BE(at + 12),
    });
    at += 18;
  }
  return fields;
}
