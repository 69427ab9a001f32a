/** E6: the registry of enforcers over several engines: one enforcer is let in, or not, by all; what grew old in the stream is not forgotten. */
import { expect, test } from 'vitest';
import { systemClock } from '#client/clock';
import { silentLog } from '#client/log';
import { type FollowedLog, openSharedLog } from '#engine/approvals/approvals';
import type { EnforcerEventDraft } from '#engine/enrolment/parts';
import { Registry, type RegistryEvent } from '#engine/enrolment/registry';
import { SharedRegistry } from '#engine/shared-registry';
import { MemoryJournal } from '#test/support/memory-journal';
import { fairWeather, MemoryStream } from '#test/support/memory-stream';

interface Engine {
  readonly shared: SharedRegistry;
  readonly registry: Registry;
  readonly ordered: FollowedLog;
}

async function open(stream: MemoryStream, engine: string, journal = new MemoryJournal(systemClock)): Promise<Engine> {
  const ordered = openSharedLog({
    stream: stream.connection(fairWeather),
    journal,
    clock: systemClock,
    log: silentLog,
    engine,
    key: Buffer.alloc(32, 1),
    limits: { retryMs: 1 },
  });
  const shared = new SharedRegistry(ordered, journal);
  const registry = new Registry();
  shared.follow((event) => void registry.apply(event as RegistryEvent));
  for await (const event of shared.events()) registry.apply(event as RegistryEvent);
  await ordered.start();
  ordered.speak();
  await shared.share();
  return { shared, registry, ordered };
}

const digest = (digit: string): string => `sha256:${digit.repeat(64)}`;
const until = '2027-01-01T00:00:00.000000Z';
const invited = (id: string): EnforcerEventDraft => ({
  type: 'enforcer.invited',
  enforcer: 'shop-1',
  enrolment_id: id,
  targets: ['shop'],
  code_hash: digest(id),
  expires_at: until,
  by: 'alice',
});
const joined = (id: string): Extract<EnforcerEventDraft, { type: 'enforcer.joined' }> => ({
  type: 'enforcer.joined',
  enforcer: 'shop-1',
  enrolment_id: id,
  serial: '01',
  key: digest('e'),
  not_after: until,
});

async function append({ shared, registry }: Engine, event: Parameters<SharedRegistry['appendIf']>[0]): Promise<number | null> {
  return shared.appendIf(event, { stream: 'enforcer:shop-1', expectedLast: registry.get('shop-1')?.last ?? -1 });
}

test('who joined one engine has joined all; of two joins at once one counts; who is removed is removed everywhere', async () => {
  const stream = new MemoryStream();
  const [one, two] = [await open(stream, 'one'), await open(stream, 'two')];
  await append(one, invited('1'));
  await two.ordered.catchUp();
  const outcomes = await Promise.all([append(one, joined('1')), append(two, { ...joined('1'), key: digest('f') })]);
  expect(outcomes.filter((position) => position !== null)).toHaveLength(1);
  await Promise.all([one, two].map(({ ordered }) => ordered.catchUp()));
  expect(two.registry.get('shop-1')).toEqual(one.registry.get('shop-1'));
  expect(two.registry.get('shop-1')).toMatchObject({ state: 'joined', targets: ['shop'], enrolment: '1' });
  await append(two, { type: 'enforcer.removed', enforcer: 'shop-1', by: 'alice' });
  await one.ordered.catchUp();
  expect(one.registry.get('shop-1')?.state).toBe('removed');
  for (const { ordered } of [one, two]) await ordered.close();
});

test('a renewal carries how the enforcer joined, and an invitation that is open: an engine that sees nothing older knows it', async () => {
  const stream = new MemoryStream();
  const one = await open(stream, 'one');
  await append(one, invited('1'));
  await append(one, joined('1'));
  await append(one, invited('2'));
  await append(one, { ...joined('1'), type: 'enforcer.renewed', serial: '02' });
  stream.first = stream.messages.length;
  const later = await open(stream, 'later');
  const { last: _l, joinedAt: _j, ...known } = later.registry.get('shop-1') ?? {};
  const { last: _m, joinedAt: _k, ...whole } = one.registry.get('shop-1') ?? {};
  expect(known).toEqual(whole);
  expect(known).toMatchObject({ state: 'joined', enrolment: '1', invitation: { enrolment: '2', usedBy: null } });
  for (const { ordered } of [one, later]) await ordered.close();
});

test('what an engine had before it shared anything is shared at its start', async () => {
  const journal = new MemoryJournal(systemClock);
  for (const event of [invited('1'), joined('1')]) await journal.durable(journal.append(event));
  const stream = new MemoryStream();
  const [first, second] = [await open(stream, 'one', journal), await open(stream, 'two')];
  expect(first.registry.get('shop-1')).toMatchObject({ state: 'joined', targets: ['shop'] });
  expect(second.registry.get('shop-1')).toMatchObject({ state: 'joined', targets: ['shop'] });
  for (const { ordered } of [first, second]) await ordered.close();
});
