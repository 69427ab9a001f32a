/** Time to drain a large result, and the memory of the process in the middle while it flows. */
import pg from 'pg';
import type { Socket } from 'node:net';
import type { Subject } from './subjects.ts';

export const BULK_ROWS = 1_000_000;

/** `bulk`: five columns a row; `secret` is what the masked runs mask. */
export const BULK_SCHEMA: string = `
  CREATE TABLE bulk (id int PRIMARY KEY, name text NOT NULL, secret text NOT NULL, amount numeric(12,2) NOT NULL, created timestamptz NOT NULL);
  INSERT INTO bulk SELECT n, 'customer ' || n, '4111' || lpad(n::text, 12, '0'), n / 100.0, timestamptz '2026-01-01' + n * interval '1 second' FROM generate_series(1, ${BULK_ROWS}) n;
  CREATE TABLE bulk_redacted AS TABLE bulk; CREATE TABLE bulk_partial AS TABLE bulk; ANALYZE;`;

export interface Drained {
  readonly seconds: number;
  readonly bytes: number;
}

/** One simple Query; nothing is decoded, so that the client is not what is measured. */
export async function drain(subject: Subject, database: string, sql: string): Promise<Drained> {
  const client = new pg.Client({ host: '127.0.0.1', port: subject.port, user: subject.user, password: subject.password, database });
  client.on('error', () => undefined); // the stream's own listeners tell
  await client.connect();
  const stream = (client as unknown as { connection: { stream: Socket } }).connection.stream;
  stream.removeAllListeners('data');
  const text = Buffer.from(`${sql}\0`);
  const header = Buffer.alloc(5);
  header.write('Q');
  header.writeInt32BE(text.length + 4, 1);
  const started = performance.now();
  const bytes = await new Promise<number>((resolve, reject) => {
    let total = 0;
    let tail: Buffer = Buffer.alloc(0);
    stream.on('error', reject);
    stream.on('close', () => reject(new Error(`${subject.name} closed the connection: ${tail.toString('latin1')}`)));
    stream.on('data', (chunk: Buffer) => {
      total += chunk.length;
      tail = chunk.length >= 6 ? chunk.subarray(-6) : Buffer.concat([tail, chunk]).subarray(-6);
      if (tail.length === 6 && tail.readUInt8(0) === 0x5a && tail.readInt32BE(1) === 5) resolve(total);
    });
    stream.write(Buffer.concat([header, text]));
  });
  const seconds = (performance.now() - started) / 1000;
  stream.destroy();
  if (bytes < BULK_ROWS) throw new Error(`${subject.name} answered ${bytes} bytes to ${sql}: an error, not rows`);
  return { seconds, bytes };
}
