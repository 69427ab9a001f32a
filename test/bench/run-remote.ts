/** `decide.remote`: cached judgements over the channel as shipped (mutual TLS, one connection, the engine in a process of its own). */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '#client/clock';
import type { DecisionSession } from '#client/decision-service';
import { silentLog } from '#client/log';
import { openRemoteDecisions } from '#engine/apart/remote-decisions';
import { openDialer } from '#engine/channel/dialer';
import { makeChannelAuthority, PARTS } from '#test/support/channel';
import { MOMENT, openBenchDecisions, SCOPE, SETTINGS } from './decisions.ts';
import type { BenchOptions } from './options.ts';
import { quantile } from './pgbench.ts';

const IN_FLIGHT = 64;
const TEXT = Buffer.from('SELECT id, item FROM orders WHERE id = 1');
const LOCAL_RUNS = 100_000;

export async function benchRemote({ only, seconds, report }: BenchOptions): Promise<void> {
  if (!only.test('decide.remote')) return;
  const local = await localPerSecond();
  const authority = await makeChannelAuthority();
  const identity = await authority.issue({ name: 'bench-1', kind: 'enforcer', targets: [SCOPE.resource.id] });
  const engine = fork(join(dirname(fileURLToPath(import.meta.url)), 'remote-engine.ts'));
  engine.send(await authority.issue({ name: 'engine-1', kind: 'engine' }));
  const [port] = (await once(engine, 'message')) as [number];
  const dialer = openDialer({ ...PARTS, engines: [`127.0.0.1:${port}`], tls: () => identity });
  await dialer.ready(10_000);
  const remote = openRemoteDecisions({ engines: dialer, clock: systemClock, log: silentLog });
  const session = await remote.openSession(SCOPE);
  await measured(session, IN_FLIGHT, 1);
  for (const inFlight of [1, IN_FLIGHT]) {
    const before = { ours: process.cpuUsage(), theirs: cpuOf(engine.pid ?? 0) };
    const { tps, times } = await measured(session, inFlight, seconds);
    const ours = process.cpuUsage(before.ours);
    report({
      name: 'decide.remote',
      subject: 'interlock',
      clients: inFlight,
      tps,
      p50_us: quantile(times, 0.5),
      p99_us: quantile(times, 0.99),
      cpu_us_per_op: (ours.user + ours.system) / times.length,
      engine_cpu_us_per_op: (cpuOf(engine.pid ?? 0) - before.theirs) / times.length,
      cached_per_s: local,
      ratio: tps / local,
    });
  }
  remote.close();
  await dialer.close();
  engine.disconnect();
  await once(engine, 'exit');
}

/** What the same judgements cost without the way. */
async function localPerSecond(): Promise<number> {
  const { facts, service, session } = await openBenchDecisions();
  const known = await session.read(TEXT, SETTINGS);
  let started = 0;
  for (const runs of [LOCAL_RUNS / 10, LOCAL_RUNS]) {
    started = performance.now();
    for (let run = 0; run < runs; run++) await session.decide(known, MOMENT);
  }
  const perSecond = LOCAL_RUNS / ((performance.now() - started) / 1000);
  service.close();
  await facts.close();
  return perSecond;
}

/** User and system time so far, µs. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

const TICK_US = 10_000;

async function measured(session: DecisionSession, inFlight: number, seconds: number): Promise<{ tps: number; times: Float64Array }> {
  const known = await session.read(TEXT, SETTINGS);
  await session.decide(known, MOMENT);
  const times: number[] = [];
  const started = performance.now();
  const until = started + seconds * 1000;
  const ask = async (): Promise<void> => {
    for (let at = performance.now(); at < until; ) {
      const { cached } = await session.decide(known, MOMENT);
      if (!cached) throw new Error('not measured: a judgement that was not cached');
      const now = performance.now();
      times.push((now - at) * 1000);
      at = now;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, ask));
  const tps = times.length / ((performance.now() - started) / 1000);
  return { tps, times: Float64Array.from(times).sort() };
}
