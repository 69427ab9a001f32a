/** Three nodes with TLS between all of them, replicas 3: nodes are killed while records come (G7, N2; three nodes of SECURITY §3.4). */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { silentLog } from '#client/log';
import { Alarms } from '#engine/journal/archive/alarms';
import { startMirror } from '#engine/journal/archive/mirror';
import { AuditSource } from '#engine/nats/audit-source';
import { caughtUp, forward, load, memoryDir, segmentsOf, testJournal, verified } from '#test/support/archive';
import { makeAuthority } from '#test/support/certificates';
import { freePort, somebody, TestNats, until } from '#test/support/nats';
import { SharedNats } from '#test/support/shared-books';

const KILLS = Number(process.env['INTERLOCK_NATS_KILLS'] ?? 1);

test(`a node is killed ${KILLS} times: the archive goes on with the others, and is the journal at the end`, {
  timeout: 60_000 + KILLS * 20_000,
}, async () => {
  const { dir: root, [Symbol.dispose]: gone } = memoryDir();
  const journal = await testJournal(join(root, 'journal'));
  const authority = await makeAuthority(join(root, 'tls'));
  const { certFile: cert, keyFile: key } = await authority.issue('node', { connects: true });
  const tls = { cert, key, ca: authority.caFile };
  const [enforcer, engine, setup] = [somebody('enforcer', 'shop', [journal.id]), somebody('engine', 'engine'), somebody('setup', 'setup')];
  const ports = await Promise.all([1, 2, 3].map(async () => ({ client: await freePort(), route: await freePort() })));
  const nodes: TestNats[] = [];
  onTestFinished(async () => {
    for (const node of nodes) await node[Symbol.asyncDispose]();
    gone();
  });
  for (const [index, { client, route }] of ports.entries()) {
    const dir = join(root, `node-${index}`);
    mkdirSync(dir);
    const routes = ports.filter((other) => other.route !== route).map((other) => `nats-route://127.0.0.1:${other.route}`);
    const cluster = { name: 'test', listen: `127.0.0.1:${route}`, routes, tls };
    nodes.push(await TestNats.start({ grants: [enforcer, engine, setup], dir, name: `node-${index}`, port: client, tls, cluster }));
  }
  const servers = ports.map(({ client }) => `tls://127.0.0.1:${client}`);
  const settings = { servers, replicas: 3, tls: { caFile: authority.caFile, certFile: null, keyFile: null } } as const;
  const [first] = nodes as [TestNats];
  // a cluster takes a moment to elect who leads it
  await until(
    () =>
      first.setUp(setup, settings).then(
        (reports) => reports.every(({ state }) => state !== 'different'),
        () => false,
      ),
    30_000,
    'the streams',
  ); // prettier-ignore
  await using link = first.link(enforcer, settings);
  await using reader = first.link(engine, settings);
  const { forwarder, alarms } = forward(journal, link);
  const dir = join(root, 'archive');
  const mirror = startMirror({ dir, source: new AuditSource(reader), alarms: new Alarms(journal, silentLog), log: silentLog });
  const stop = load(journal);
  for (let kill = 0; kill < KILLS; kill++) {
    const before = forwarder.acked;
    await until(() => forwarder.acked > before + 100, 20_000, 'forwarding with three nodes');
    const node = nodes[kill % 3] as TestNats;
    await node.stop('SIGKILL');
    const during = forwarder.acked;
    await until(() => forwarder.acked > during + 100, 20_000, 'forwarding with two nodes');
    await node.start();
  }
  await stop();
  await caughtUp(forwarder, journal, 20_000);
  await journal.close('test');
  await forwarder.close();
  await until(() => mirror.status().journals[0]?.records === journal.durableEnd.position + 1, 20_000, 'the mirror');
  await mirror.close();
  expect(segmentsOf(join(dir, journal.id))).toEqual(segmentsOf(join(root, 'journal')));
  expect(await verified(join(dir, journal.id))).toBe(journal.durableEnd.position + 1);
  expect(alarms.open).toEqual([]);
});

test('a server that offers no TLS, or shows a certificate of somebody else, is not spoken to', async () => {
  const { dir: root, [Symbol.dispose]: gone } = memoryDir();
  const [ours, theirs] = [await makeAuthority(join(root, 'ours')), await makeAuthority(join(root, 'theirs'))];
  const { certFile: cert, keyFile: key } = await theirs.issue('node');
  const enforcer = somebody('enforcer', 'shop');
  await using plain = await TestNats.start({ grants: [enforcer], dir: join(root, 'plain') });
  await using foreign = await TestNats.start({ grants: [enforcer], dir: join(root, 'foreign'), tls: { cert, key, ca: theirs.caFile } });
  onTestFinished(gone);
  for (const [server, trusted, works] of [
    [plain, ours, false],
    [foreign, ours, false],
    [foreign, theirs, true],
  ] as const) {
    const settings = { servers: [`tls://127.0.0.1:${server.port}`], tls: { caFile: trusted.caFile, certFile: null, keyFile: null } };
    await using link = server.link(enforcer, settings);
    if (works) await until(() => link.connected, 5_000, 'the connection');
    else {
      await until(() => link.status().error !== 'not connected yet', 5_000, 'a reason');
      expect(link.connected).toBe(false);
      expect(link.status().error).toMatch(/certificate|SSL|TLS|wrong version|timeout|timed out|socket/i);
    }
  }
});

test('ADR 18: the same leader keeps the order of approvals until it is killed, and the engines see that it is another', {
  timeout: 60_000,
}, async () => {
  await using nats = await SharedNats.start(3);
  const link = nats.link('one');
  await link.connection();
  const stream = nats.stream('one', link);
  const keeper = async (): Promise<string | null> => (await stream.info().catch(() => null))?.keeper ?? null;
  await until(async () => (await keeper()) !== null, 30_000, 'a leader');
  const before = (await keeper()) ?? '';
  expect(before).toMatch(/^node-\d since 20\d\d-.+Z$/);
  expect(await keeper()).toBe(before);
  const leader = nats.nodes[Number(before[5])] as TestNats;
  await leader.stop('SIGKILL');
  await until(async () => ![null, before].includes(await keeper()), 30_000, 'another leader');
});
