/** N3: an archive that answers again and has not what waited for it is not one that `strict` can rely on. */
import { expect, test } from 'vitest';
import type { ArchivePort } from '#engine/journal/archive/port';
import { silentLog } from '#client/log';
import { systemClock } from '#client/clock';
import { Alarms } from '#engine/journal/archive/alarms';
import { startForwarder } from '#engine/journal/archive/forwarder';
import { fill, memoryDir, testJournal } from '#test/support/archive';
import { until } from '#test/support/nats';

test('N3: until the archive has what was there when it answered, it is told as catching up', async () => {
  using memory = memoryDir();
  const journal = await testJournal(memory.dir, { everyMs: 3_600_000 });
  const asked = Promise.withResolvers<void>();
  const stores = Promise.withResolvers<void>();
  const archive: ArchivePort = {
    connected: true,
    onChange: () => () => {},
    bytesMax: 1 << 20,
    last: () => Promise.resolve(null),
    publish: async (_journal, _run, after) => {
      asked.resolve();
      await stores.promise;
      return { kind: 'stored', at: after + 1, duplicate: false };
    },
  };
  await journal.durable(fill(journal, 10));
  const alarms = new Alarms(journal, silentLog);
  const forwarder = startForwarder({
    journal,
    archive,
    backlog: () => ({ bytes: 1 << 30, ageMs: 600_000 }),
    alarms,
    clock: systemClock,
    log: silentLog,
  });
  await using closing = new AsyncDisposableStack();
  closing.defer(() => forwarder.close());
  closing.defer(() => journal.close('test'));
  closing.defer(() => stores.resolve());
  await asked.promise;
  expect(forwarder.status()).toMatchObject({ connected: true, error: 'catching up', acked: -1 });
  stores.resolve();
  await until(() => forwarder.status().error === null, 10_000, 'the last acknowledgement');
  expect(forwarder.acked).toBe(journal.durableEnd.position);
});
