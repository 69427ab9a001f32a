/** Issue 6: ceilings of agents over several enforcers of one engine. */
import { expect, test, vi } from 'vitest';
import { silentLog } from '#client/log';
import { startSharing } from '#engine/apart/enforcer-side';
import { Fleet } from '#engine/apart/fleet';
import { APART_LIMITS } from '#engine/apart/limits';
import { SharedCounts } from '#engine/apart/shared-counts';
import { handlersOf } from '#engine/apart/messages';
import type { Channel } from '#engine/channel/parts';
import { Meters } from '#enforcers/common/meters';
import type { Statement } from '#client/decision-service';
import { channelPair } from '#test/support/channel';
import { FakeClock } from '#test/support/fake-clock';

const bot = (statements: number, rows: number, denials = 0): { id: string; statements: number; rows: number; denials: number } => ({
  id: 'iss|bot',
  statements,
  rows,
  denials,
});

test('each is told what the others counted, of the agents that it names', () => {
  const counts = new SharedCounts(new FakeClock());
  expect(counts.share('a', [bot(1, 10)])).toEqual([bot(0, 0)]);
  expect(counts.share('b', [bot(2, 20, 4)])).toEqual([bot(1, 10)]);
  expect(counts.share('c', [bot(0, 0)])).toEqual([bot(3, 30, 4)]);
  expect(counts.share('a', [bot(5, 50)])).toEqual([bot(2, 20, 4)]); // the newest of each, its own not
  expect(counts.share('c', [{ id: 'iss|other', statements: 0, rows: 0, denials: 0 }])).toEqual([
    { id: 'iss|other', statements: 0, rows: 0, denials: 0 },
  ]);
  expect(counts.share('c', [])).toEqual([]);
});

test('of an enforcer that is gone its last word counts as long as the windows are', () => {
  const clock = new FakeClock();
  const counts = new SharedCounts(clock);
  counts.share('a', [bot(1, 10, 3)]);
  clock.pass(60_000);
  expect(counts.share('b', [bot(0, 0)])).toEqual([bot(0, 10, 3)]);
  clock.pass(240_000);
  expect(counts.share('b', [bot(0, 0)])).toEqual([bot(0, 10, 0)]);
  clock.pass(3_300_000);
  expect(counts.share('b', [bot(0, 0)])).toEqual([bot(0, 0, 0)]);
});

test('I9: agents and enforcers are bounded; what was heard longest ago goes', () => {
  const counts = new SharedCounts(new FakeClock());
  for (let n = 0; n <= APART_LIMITS.agentsCounted; n++) counts.share('a', [{ ...bot(0, 1), id: `iss|${n}` }]);
  expect(
    counts
      .share('b', [
        { ...bot(0, 0), id: 'iss|0' },
        { ...bot(0, 0), id: 'iss|1' },
      ])
      .map(({ rows }) => rows),
  ).toEqual([0, 1]);
  for (let n = 0; n < APART_LIMITS.enforcersCounted; n++) counts.share(`e${n}`, [{ ...bot(0, 0), id: 'iss|1' }]);
  expect(counts.share('c', [{ ...bot(0, 0), id: 'iss|1' }])[0]?.rows).toBe(0);
});

test('an enforcer tells its engine, and hears of the others, over the channel', async () => {
  const clock = new FakeClock();
  const fleet = new Fleet({ bundles: { newest: () => null, onChange: () => () => {} } as never, clock, log: silentLog });
  const meters = new Meters(null, clock);
  const meter = meters.of({ type: 'agent', id: 'iss|bot', properties: { login: 'bot', groups: [] } });
  meter?.rows(7);
  const { 'usage.share': answer } = fleet.answering();
  await using pair = await channelPair({ listener: { handlers: { calls: handlersOf({ 'usage.share': answer }) } } });
  await answer({ agents: [bot(1, 30)] }, { peer: { ...pair.there.peer, name: 'another' } } as never);
  const stop = startSharing({ call: pair.dialer.call.bind(pair.dialer), channel: pair.dialer.channel as Channel }, meters, silentLog);
  const none = { facts: { effects: [] } } as unknown as Statement;
  await vi.waitFor(() => expect(meter?.usage(none).rows_last_hour).toBe(37), { timeout: 5_000 });
  expect(await answer({ agents: [bot(0, 0)] }, { peer: { name: 'third' } } as never)).toEqual({ agents: [bot(1, 37)] });
  stop();
  fleet.close();
});
