/** The projection of a running gateway: it follows within moments, and no trouble of its own reaches a statement. */
import { existsSync, mkdirSync, readFileSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { silentLog } from '#client/log';
import type { FileJournal } from '#engine/journal/file-journal';
import { openProjection } from '#engine/journal/projection/live';
import { askForRebuild, fileStatus } from '#engine/journal/projection/offline';
import type { Projection, ProjectionChange } from '#engine/journal/projection/projection';
import { decided, finished, intent, opened, received, text, type Written } from '#test/support/journal-events';
import { journalFolder, type JournalFolder } from '#test/support/journals';
import { caughtUp, contents, folder, type Folder } from '#test/support/projection';

const EVERYTHING = { all: true } as const;
const PATIENCE_MS = 20_000;

interface Scene extends AsyncDisposable {
  readonly of: JournalFolder;
  readonly place: Folder;
  readonly file: string;
  readonly journal: FileJournal;
  readonly projection: Projection;
}

async function scene(before: (file: string) => void = () => {}): Promise<Scene> {
  const of = journalFolder();
  const place = folder();
  const file = join(place.dir, 'projection.sqlite');
  before(file);
  const journal = await of.open();
  journal.append(opened('ses_1'));
  const projection = openProjection({ file, journal, log: silentLog });
  return {
    of,
    place,
    file,
    journal,
    projection,
    async [Symbol.asyncDispose]() {
      await projection.close();
      await journal.close('test');
      place[Symbol.dispose]();
      of[Symbol.dispose]();
    },
  };
}

async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + PATIENCE_MS; !(await what()); await wait(10)) {
    if (performance.now() > end) throw new Error('it did not come to pass');
  }
}

async function caught({ journal, projection }: Pick<Scene, 'journal' | 'projection'>): Promise<void> {
  await journal.durable(journal.durablePosition);
  await until(() => projection.status().state === 'following' && projection.status().behind === 0);
}

let statements = 0;
async function run({ journal }: Scene, sql: string): Promise<Written> {
  const statement = { sessionId: 'ses_1', statementId: `stm_${++statements}`, payload: text(sql) };
  await journal.durable(intent(journal, statement));
  await journal.durable(journal.append(finished(statement)));
  return statement;
}

describe('a running projection', () => {
  it('shows a statement moments after it is durable, tells whose it is, and comes to what a rebuild makes', async () => {
    await using at = await scene();
    await caught(at);
    const changes: ProjectionChange[] = [];
    at.projection.onChange((change) => changes.push(change));
    const one = { sessionId: 'ses_1', statementId: 'stm_slow', payload: text('SELECT slow') };
    await at.journal.durable(at.journal.append(received(one)));
    await until(async () => (await at.projection.search({ access: EVERYTHING, limit: 5, outcome: 'running' })).items.length === 1);
    at.journal.append(decided(one));
    await at.journal.durable(at.journal.append({ ...finished(one), outcome: 'error', sqlstate: '57014' }));
    await until(async () => (await at.projection.search({ access: EVERYTHING, limit: 5, outcome: 'error', q: 'slow' })).items.length === 1);
    expect((await at.projection.search({ access: EVERYTHING, limit: 5, outcome: 'running' })).items).toEqual([]);
    expect(changes).toContainEqual({ kind: 'statement', id: 'stm_slow', session_id: 'ses_1', state: 'running', owners: ['https://issuer|alice'] });
    expect(changes.findLast(({ id }) => id === 'stm_slow')?.state).toBe('error');
    for (let n = 0; n < 50; n++) await run(at, `SELECT ${n} FROM payments`);
    await caught(at);
    const live = contents(at.file);
    const again = join(at.place.dir, 'again.sqlite');
    await caughtUp(again, at.of.dir);
    // the journal went on by nothing that concerns it, at most a checkpoint
    expect({ ...contents(again), place: [] }).toEqual({ ...live, place: [] });
  });

  it('goes on where it stood after it was closed', async () => {
    await using at = await scene();
    await run(at, 'SELECT 1');
    await caught(at);
    await at.projection.close();
    await expect(at.projection.search({ access: EVERYTHING, limit: 5 })).rejects.toMatchObject({ code: 'PROJECTION_UNAVAILABLE' });
    await run(at, 'SELECT 2');
    const second = openProjection({ file: at.file, journal: at.journal, log: silentLog });
    await caught({ journal: at.journal, projection: second });
    expect(second.status().rebuilds).toBe(0);
    expect((await second.search({ access: EVERYTHING, limit: 5 })).total).toBe(2);
    await second.close();
  });

  it('is made anew when a command asks for it, and says that it is behind meanwhile', async () => {
    await using at = await scene();
    await run(at, 'SELECT 1');
    await caught(at);
    const { rebuilds } = at.projection.status();
    askForRebuild(at.file);
    await until(() => at.projection.status().rebuilds > rebuilds);
    await caught(at);
    expect((await at.projection.search({ access: EVERYTHING, limit: 5 })).total).toBe(1);
    expect(await fileStatus(at.file, at.of.dir)).toMatchObject({ written: true, statements: 1, sessions: 1 });
  });

  it('a file that is damaged under it is dropped and made anew; statements run on', async () => {
    await using at = await scene();
    for (let n = 0; n < 300; n++) await run(at, `SELECT ${n} FROM payments_${n}`);
    await caught(at);
    const { rebuilds } = at.projection.status();
    const size = readFileSync(at.file).length;
    writeFileSync(at.file, Buffer.alloc(size, 0xa5), { flag: 'r+' });
    if (existsSync(`${at.file}-wal`)) writeFileSync(`${at.file}-wal`, Buffer.alloc(100_000, 0xa5), { flag: 'r+' });
    await until(async () => {
      await run(at, 'SELECT while_damaged');
      await at.projection.search({ access: EVERYTHING, limit: 5, q: 'payments' }).catch(() => null);
      return at.projection.status().rebuilds > rebuilds;
    });
    await caught(at);
    expect((await at.projection.search({ access: EVERYTHING, limit: 5, q: 'payments_299' })).total).toBe(1);
    expect(at.journal.fault).toBeNull();
  });

  it('a place that cannot be written is tried again, refused with its code meanwhile; statements run on', async () => {
    await using at = await scene((file) => {
      mkdirSync(file);
      writeFileSync(join(file, 'in the way'), '');
    });
    await until(() => at.projection.status().state === 'failed');
    expect(at.projection.status().error).not.toBeNull();
    await expect(at.projection.sessions({ access: EVERYTHING, limit: 5 })).rejects.toMatchObject({ code: 'PROJECTION_UNAVAILABLE' });
    await run(at, 'SELECT 1');
    rmSync(join(at.file, 'in the way'));
    rmdirSync(at.file);
    await caught(at);
    expect((await at.projection.search({ access: EVERYTHING, limit: 5 })).total).toBe(1);
    expect(at.projection.status().error).toBeNull();
  });

  it('what is wrong with a query is said, and the next one is answered', async () => {
    await using at = await scene();
    await caught(at);
    await expect(at.projection.search({ access: EVERYTHING, limit: 0 })).rejects.toMatchObject({ code: 'USAGE' });
    expect((await at.projection.sessions({ access: EVERYTHING, limit: 5 })).total).toBe(1);
  });

  it('queries past the queue’s bound are refused at once', async () => {
    await using at = await scene();
    await caught(at);
    const asked = Array.from({ length: 150 }, () => at.projection.search({ access: EVERYTHING, limit: 5 }));
    const codes = (await Promise.allSettled(asked)).map((one) => (one.status === 'rejected' ? (one.reason as { code: string }).code : 'ok'));
    expect(codes.filter((code) => code === 'API_BUSY').length).toBeGreaterThan(0);
    expect(codes.filter((code) => code === 'ok').length).toBeGreaterThan(90);
  });

  it('a query that does not end in time is given up with its thread', async () => {
    await using at = await scene();
    await caught(at);
    const hurried = openProjection({ file: join(at.place.dir, 'other.sqlite'), journal: at.journal, log: silentLog, queryMsMax: -1_990 });
    await caught({ journal: at.journal, projection: hurried });
    // its thread has not started within ten milliseconds
    await expect(hurried.search({ access: EVERYTHING, limit: 5, target: 'shop' })).rejects.toMatchObject({ code: 'PROJECTION_SLOW' });
    await hurried.close();
  });
});
