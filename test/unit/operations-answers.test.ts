/** `/healthz`, `/readyz`, `/metrics`: who may read what, what is not ready and why, and the listener of an enforcer (issue 5, Operations; I7). */
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { systemClock } from '#client/clock';
import { silentLog } from '#client/log';
import { Answers } from '#engine/operations/answers';
import { listenForOperations } from '#engine/operations/listener';
import { Meter } from '#engine/operations/metrics/meter';
import { openInstruments, openOperations } from '#engine/operations/operations';
import type { MetricsAccess, OperationsParts } from '#engine/operations/parts';
import { problemsOf } from '#engine/operations/problems';
import { EnforcerReport } from '#schemas/enforcer-report';
import { Check } from 'typebox/value';

const WELL: OperationsParts = {
  role: 'enforcer',
  version: '0.1.0',
  clock: systemClock,
  log: silentLog,
  journal: () => ({ journal: 'a'.repeat(32), records: 7, bytes: 900, last_sync_us: 300, fault: null }),
  revision: () => `sha256:${'0'.repeat(64)}`,
  policies: () => ({ ageMs: 1_000, usable: true, error: null }),
  targets: ['shop'],
  listeners: () => [
    { target: 'shop', protocol: 'postgresql', address: '127.0.0.1:6432', judging: 'local', accepting: true, draining: false, sessions: 2, held: 1 },
  ],
  channel: () => ({ connected: true, engine: 'engine:8443', rtt_us: 400, clock_offset_us: -20 }),
  archive: () => ({ mode: 'standard', connected: true, backlog_records: 0, backlog_bytes: 0, backlog_age_ms: 0, full: false, drift: false }),
};
const archive = (more: object) => () => ({ ...(WELL.archive as NonNullable<typeof WELL.archive>)(), ...more });

describe('what is not ready, and why', () => {
  test.each<readonly [string, Partial<OperationsParts>, readonly [code: string, serious: boolean][]]>([
    ['all is well', {}, []],
    ['a dead journal', { journal: () => ({ ...WELL.journal(), fault: 'disk full: /secret/path' }) }, [['journal', true]]],
    ['policies that are too old', { policies: () => ({ ageMs: 1e9, usable: false, error: null }) }, [['policies', true]]],
    ['policies that were rejected', { policies: () => ({ ageMs: 1, usable: true, error: 'main.rego:3: secret' }) }, [['policies', false]]],
    ['no engine', { channel: () => ({ connected: false, engine: null, rtt_us: null, clock_offset_us: null }) }, [['engine', true]]],
    ['a clock that is off', { channel: () => ({ connected: true, engine: 'e:1', rtt_us: 1, clock_offset_us: 2_000_000 }) }, [['clock', false]]],
    ['an archive that is away', { archive: archive({ connected: false }) }, [['archive', false]]],
    ['the same for a strict target', { archive: archive({ connected: false, mode: 'strict' }) }, [['archive', true]]],
    ['a full backlog', { archive: archive({ full: true }) }, [['archive_full', true]]],
    ['drift', { archive: archive({ drift: true }), alarms: () => [{ code: 'drift', of: 'AUDIT' }] }, [['archive_drift', true]]],
    ['a listener that is not there yet', { listeners: () => [] }, [['starting', true]]],
    [
      'one that drains',
      { listeners: () => [{ ...(WELL.listeners()[0] as ReturnType<OperationsParts['listeners']>[0]), draining: true, accepting: false }] },
      [['draining', true]],
    ],
    [
      'one that does not accept',
      { listeners: () => [{ ...(WELL.listeners()[0] as ReturnType<OperationsParts['listeners']>[0]), accepting: false }] },
      [['listener', true]],
    ],
    ['a projection that failed', { projection: () => ({ behind: 0, error: 'disk: /secret' }) }, [['projection', false]]],
    ['one that is far behind', { projection: () => ({ behind: 1e6, error: null }) }, [['projection', false]]],
  ])('%s', (_name, more, expected) => {
    const problems = problemsOf({ ...WELL, ...more });
    expect(problems.map(({ code, serious }) => [code, serious])).toEqual(expected);
    expect(JSON.stringify(problems)).not.toContain('secret'); // without a token, and without what parts said
  });
});

test.each<readonly [string, ReturnType<NonNullable<OperationsParts['alarms']>>, string]>([
  ['a stream', [{ code: 'drift', of: 'AUDIT' }], 'not set up as `interlock nats setup` would: AUDIT'],
  ['a journal', [{ code: 'lost', of: 'a'.repeat(32) }], 'what the archive holds is not what was recorded: lost'],
  ['said by a process that does not tell', [], 'not set up as `interlock nats setup` would: the archive’s streams'],
])('N2: health is red, and names what the alarm is about: %s', (_what, alarms, detail) => {
  expect(problemsOf({ ...WELL, archive: archive({ drift: true }), alarms: () => alarms })).toEqual([
    { code: 'archive_drift', detail, serious: true },
  ]);
});

describe('who may read the metrics', () => {
  const asked = (headers: object = {}, remoteAddress = '127.0.0.1') => ({
    method: 'GET',
    path: '/metrics',
    headers: headers as never,
    remoteAddress,
  });
  const status = (access: MetricsAccess, ...of: Parameters<typeof asked>): number | undefined =>
    new Answers({ clock: systemClock, meter: new Meter([]), access: () => access, alive: () => true, problems: () => [] }).answer(asked(...of))
      ?.status;
  const token = { readers: 'token', token: 'a-long-enough-token' } as const;

  test.each<readonly [string, MetricsAccess, object, string, number]>([
    ['loopback', { readers: 'loopback', token: null }, {}, '127.0.0.1', 200],
    ['loopback by IPv6', { readers: 'loopback', token: null }, {}, '::1', 200],
    ['loopback by a mapped address', { readers: 'loopback', token: null }, {}, '::ffff:127.0.0.1', 200],
    ['from elsewhere', { readers: 'loopback', token: null }, {}, '10.0.0.7', 404],
    ['through a proxy', { readers: 'loopback', token: null }, { forwarded: 'for=203.0.113.9' }, '127.0.0.1', 404],
    ['nobody', { readers: 'nobody', token: null }, {}, '127.0.0.1', 404],
    ['anybody', { readers: 'anybody', token: null }, {}, '203.0.113.9', 200],
    ['the token', token, { authorization: 'Bearer a-long-enough-token' }, '203.0.113.9', 200],
    ['another token', token, { authorization: 'Bearer a-long-enough-tokeN' }, '127.0.0.1', 401],
    ['no token', token, {}, '127.0.0.1', 401],
    ['a token where none is set', { readers: 'token', token: null }, { authorization: 'Bearer ' }, '127.0.0.1', 401],
  ])('%s', (_name, access, headers, address, expected) => {
    expect(status(access, headers, address)).toBe(expected);
  });
});

test('the listener of an enforcer: three paths, no more; a client that says nothing is closed', async () => {
  const instruments = await openInstruments({ targets: ['shop'], clock: systemClock, log: silentLog, version: '0', role: 'enforcer', traces: null });
  const operations = openOperations(instruments, WELL, () => ({ readers: 'loopback', token: null }));
  const listener = await listenForOperations({ host: '127.0.0.1', port: 0 }, operations);
  try {
    const get = async (path: string, method = 'GET') => await fetch(listener.url + path, { method });
    expect(await (await get('/healthz')).json()).toEqual({ ok: true });
    expect(await (await get('/readyz?x=1')).json()).toEqual({ ready: true, problems: [] });
    const metrics = await (await get('/metrics')).text();
    expect(metrics).toContain('interlock_ready 1\n');
    expect(metrics).toContain('interlock_channel_rtt_seconds 0.0004\n');
    expect(metrics).toContain('interlock_sessions_held{target="shop"} 1\n');
    expect(metrics).not.toContain('interlock_enforcers');
    for (const [path, method] of [
      ['/', 'GET'],
      ['/metrics/', 'GET'],
      ['/v1/status', 'GET'],
      ['/readyz', 'POST'],
      ['/readyz', 'DELETE'],
    ] as const)
      expect((await get(path, method)).status, `${method} ${path}`).toBe(404);
    const reports = operations.reports();
    expect(reports).toHaveLength(1);
    expect(Check(EnforcerReport, reports[0])).toBe(true);
    const silent = connect({ host: '127.0.0.1', port: Number(new URL(listener.url).port) });
    silent.write('GET /healthz HTTP/1.1\r\n');
    await new Promise((resolve) => silent.once('close', resolve).resume());
  } finally {
    await listener.close();
    await instruments.close();
  }
}, 20_000);
