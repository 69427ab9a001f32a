/** The thread that asks the projection, one query after another. It may be killed at any moment. */
import type { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { InterlockError } from '#schemas/errors';
import { QUERIES } from './queries.ts';
import { openForReading } from './tables.ts';
import type { Answer, Question } from './threads.ts';

const port = parentPort;
if (port === null) throw new Error('reader-thread.ts is opened as a worker thread');
const { file } = workerData as { readonly file: string };
let database: DatabaseSync | null = null;

port.on('message', (question: Question) => {
  if (question.kind === 'query') port.postMessage(answered(question));
  else release();
});

function answered({ id, name, query, msMax }: Extract<Question, { kind: 'query' }>): Answer {
  try {
    database ??= openForReading(file);
    const asked = QUERIES[name] as (database: DatabaseSync, query: unknown, deadline: number) => unknown;
    return { id, answer: asked(database, query, performance.now() + msMax) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof InterlockError) return { id, error: { code: error.code, message } };
    release();
    return damaged(error) ? { id, broken: message } : { id, error: { code: 'INTERNAL', message } };
  }
}

/** SQLITE_IOERR, SQLITE_CORRUPT, SQLITE_CANTOPEN, SQLITE_NOTADB: https://www.sqlite.org/rescode.html */
const DAMAGED: readonly number[] = [10, 11, 14, 26];

function damaged(error: unknown): boolean {
  const { errcode } = error as { readonly errcode?: number };
  return errcode !== undefined && DAMAGED.includes(errcode & 0xff);
}

function release(): void {
  try {
    database?.close();
  } catch {
    // it is dropped: what it thought of its file does not matter
  }
  database = null;
}
