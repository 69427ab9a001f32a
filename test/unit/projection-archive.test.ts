/** The projection of an engine: its own journal, and beside it those that the archive wrote back, each in its place. Issue 5: every page over several. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '#client/clock';
import { type FileJournal, openJournal } from '#engine/journal/file-journal';
import { Follower } from '#engine/journal/projection/follower';
import { QUERIES } from '#engine/journal/projection/queries';
import { openForReading } from '#engine/journal/projection/tables';
import { subject } from '#test/support/approvals';
import { folder } from '#test/support/projection';

const ALL = { access: { all: true } as const, limit: 50 };

function journalIn(dir: string): Promise<FileJournal> {
  mkdirSync(dir, { recursive: true });
  const { privateKey: key } = generateKeyPairSync('ed25519');
  return openJournal({
    dir,
    segmentBytes: 1 << 20,
    payloads: 'clear',
    clock: systemClock,
    version: '0',
    checkpoint: { everyMs: 60_000, key, origin: 'test' },
  });
}

async function session(journal: FileJournal, id: string, login: string): Promise<void> {
  const position = journal.append({
    type: 'session.opened',
    session_id: id,
    subject_detail: subject(login),
    subject: subject(login).id,
    target: 'shop',
    resource: { type: 'postgresql', id: 'shop', properties: { env: 'test', labels: {}, database: 'shop' } },
    client: { address: '127.0.0.1', application: 'psql', tls: false },
    protocol: 'postgresql',
    decision_id: 'dec_1',
    revision: `sha256:${'a'.repeat(64)}`,
    lease: 'lea_1',
  });
  await journal.durable(position);
}

async function read(follower: Follower): Promise<void> {
  for (let done = false; !done; ) ({ done } = await follower.next(Number.MAX_SAFE_INTEGER));
}

function sessions(file: string): readonly string[] {
  const database = openForReading(file);
  try {
    const { items } = QUERIES.sessions(database, ALL, Number.MAX_SAFE_INTEGER);
    return items.map(({ session_id, closed_at, reason }) => `${session_id} ${closed_at === undefined ? 'open' : (reason ?? 'closed')}`);
  } finally {
    database.close();
  }
}

test('sessions of every journal in the order of their times; a process that ended left its own open, and nobody else’s', async () => {
  using home = folder();
  const [file, dir, archive] = [join(home.dir, 'p.sqlite'), join(home.dir, 'own'), join(home.dir, 'archive')];
  const own = await journalIn(dir);
  const [shop, store] = [await journalIn(join(archive, 'shop')), await journalIn(join(archive, 'store'))];
  await session(shop, 'ses_1', 'alice');
  await session(store, 'ses_2', 'bob');
  await session(own, 'ses_3', 'carol');
  await session(shop, 'ses_4', 'dave');
  const options = { file, dir, archive: { dir: archive, own: own.id } };
  let follower = new Follower(options);
  expect(await follower.open()).toBe('tables');
  await read(follower);
  expect(sessions(file)).toEqual(['ses_4 open', 'ses_3 open', 'ses_2 open', 'ses_1 open']);
  const database = openForReading(file);
  expect(QUERIES.rangeOf(database, { id: 'ses_4', access: { all: true } })).toMatchObject({ journal: 'shop' });
  expect(QUERIES.rangeOf(database, { id: 'ses_3', access: { all: true } })).toMatchObject({ journal: '' });
  database.close();
  // the enforcer of one dies and starts again; another is new
  await follower[Symbol.asyncDispose]();
  await shop.close('drain');
  const again = await journalIn(join(archive, 'shop'));
  await session(again, 'ses_5', 'erin');
  const late = await journalIn(join(archive, 'late'));
  await session(late, 'ses_6', 'frank');
  follower = new Follower(options);
  expect(await follower.open()).toBeNull();
  await read(follower);
  expect(sessions(file)).toEqual(['ses_6 open', 'ses_5 open', 'ses_4 crash', 'ses_3 open', 'ses_2 open', 'ses_1 crash']);
  // what was read is not read again
  await read(follower);
  expect(sessions(file)).toHaveLength(6);
  await follower[Symbol.asyncDispose]();
  for (const journal of [own, store, again, late]) await journal.close('drain');
});
