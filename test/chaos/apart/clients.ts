/** Clients beside those of the load: they ask what may run while something is gone, and whether everything runs again. */
import pg from 'pg';
import type { Finding } from '../checks.ts';
import { after } from '../under-load.ts';
import type { ApartBed } from './bed.ts';

/** Service is back by itself within this (C6). */
export const RESUME_MS = 10_000;
const LOOK_EVERY_MS = 50;

export interface Witness extends AsyncDisposable {
  /** Whether it is answered with rows within `msMax`. */
  runs(sql: string): Promise<boolean>;
}

/** The clients of the load may all be held: one that is not. */
export async function openWitness(url: string, msMax: number): Promise<Witness> {
  const client = new pg.Client({ connectionString: url, query_timeout: msMax });
  client.on('error', () => {});
  await client.connect();
  return {
    runs: (sql) =>
      client.query(sql).then(
        () => true,
        () => false,
      ),
    [Symbol.asyncDispose]: () => client.end().catch(() => {}), // it may be gone already
  };
}

/** Whether a new session is opened within `msMax`. */
export async function admits(bed: ApartBed, msMax: number): Promise<boolean> {
  const client = new pg.Client({ connectionString: bed.url(), connectionTimeoutMillis: msMax });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}

/** null: it ran, on a connection of its own, at the first or a later attempt. */
export async function runsWithin(bed: ApartBed, sql: string, msMax: number = RESUME_MS): Promise<Finding | null> {
  const end = performance.now() + msMax;
  for (;;) {
    const client = new pg.Client({ connectionString: bed.url(), connectionTimeoutMillis: msMax, query_timeout: msMax });
    client.on('error', () => {});
    const wrong = await client
      .connect()
      .then(() => client.query(sql))
      .then(
        () => null,
        (error: unknown) => String(error),
      );
    await client.end().catch(() => {}); // the connection may be gone already
    if (wrong === null) return null;
    if (performance.now() > end) return { check: 'C6 service resumes', detail: `not within ${msMax} ms: ${wrong}` };
    await after(LOOK_EVERY_MS, null);
  }
}
