/** Where approvers come from: the directory, calendars over files and addresses, Rego sets, and tokens. What does not answer names nobody. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Directory } from '#schemas/directory';
import type { Log } from '#client/log';
import { silentLog } from '#client/log';
import { ChainWorlds } from '#engine/approvals/chain-worlds';
import { People } from '#engine/approvals/people';
import { SeenGroups } from '#engine/approvals/seen-groups';
import { DirectorySource } from '#engine/approvals/sources/directory';
import { fetchText, readTextFile } from '#engine/approvals/sources/fetch-text';
import { type OnCallCalendar, OnCallSource } from '#engine/approvals/sources/oncall';
import { readCalendar } from '#engine/approvals/sources/read-calendar';
import { RegoSource } from '#engine/approvals/sources/rego';
import type { SourceContext } from '#engine/approvals/sources/source';
import { TOKENS_ONLY } from '#engine/approvals/world';
import { reviewer, subject } from '#test/support/approvals';
import { FakeClock } from '#test/support/fake-clock';
import { cpuMs, stopwatch } from '#test/support/stopwatch';

const clean: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of clean.splice(0).toReversed()) await step();
});

const clock = new FakeClock();
const context = (more: Partial<SourceContext> = {}): SourceContext => ({
  subject: subject('alice'),
  target: 'shop',
  env: 'production',
  labels: { team: 'billing' },
  objects: ['update public.payments'],
  nowUs: clock.wallUs(),
  ...more,
});

describe('directory:…', () => {
  const DIRECTORY: Directory = {
    people: [
      { id: 'boss', logins: ['bo', 'bo.admin'], subjects: ['https://idp|1'] },
      { id: 'al', logins: ['alice', 'ally'] },
    ],
    managers: { alice: 'boss', carol: ['dan', 'erin'], al: 'fay' },
    owners: [
      { target: 'shop', labels: { team: 'billing' }, table: 'public.payments', approvers: [{ user: 'pat' }, { group: 'payments' }] },
      { target: 'shop', table: 'public.*', approvers: [{ user: 'pat' }, { user: 'sam' }] },
      { labels: { team: 'logistics' }, approvers: [{ group: 'logistics' }] },
    ],
    roles: { lead: [{ user: 'lea' }, { group: 'leads' }], empty: [] },
  };
  const named = (name: string, more: Partial<SourceContext> = {}, directory: Directory | null = DIRECTORY): unknown =>
    new DirectorySource(() => directory).resolve(name, context(more))?.map((one) => Object.values(one)[0]) ?? null;

  test.each<[string, string, Partial<SourceContext>, readonly string[] | null]>([
    ['a manager, by all accounts of theirs', 'manager', {}, ['bo', 'bo.admin', 'https://idp|1', 'fay']],
    ['several', 'manager', { subject: subject('carol') }, ['dan', 'erin']],
    ['of the human behind an agent', 'manager', { subject: subject('bot', [], { type: 'agent', owner: 'carol' }) }, ['dan', 'erin']],
    ['nobody’s', 'manager', { subject: subject('Alice') }, []],
    ['a login that JavaScript knows', 'manager', { subject: subject('constructor') }, []],
    ['an owner of a table: who owns all of it', 'owner', {}, ['pat', 'payments', 'sam']],
    ['of two tables: who owns both', 'owner', { objects: ['update public.payments', 'delete public.orders'] }, ['pat', 'sam']],
    ['what is read beside a change needs no owner', 'owner', { objects: ['read other.secrets', 'update public.orders'] }, ['pat', 'sam']],
    ['where nothing is changed, what is read', 'owner', { objects: ['read public.payments', 'read other.secrets'] }, []],
    ['one table that nobody owns', 'owner', { objects: ['update public.payments', 'update other.t'] }, []],
    ['an object that is no name', 'owner', { objects: ['update public.payments', '1 before it: DELETE FROM other.t'] }, []],
    [
      'a target of a team, whatever is touched',
      'owner',
      { target: 'depot', labels: { team: 'logistics' }, objects: ['run_program ls', 'table public.payments (oid 1, definition sha256:00)'] },
      ['logistics'],
    ],
    ['another target', 'owner', { target: 'other', labels: {} }, []],
    ['a role', 'role/lead', {}, ['lea', 'leads']],
    ['an empty role', 'role/empty', {}, []],
    ['no such role', 'role/constructor', {}, null],
    ['no such reference', 'chief', {}, null],
  ])('%s', (_name, ref, more, expected) => {
    expect(named(ref, more)).toEqual(expected);
  });

  test('without policies in force nobody is named, and the links stay', () => {
    let directory: Directory | null = DIRECTORY;
    const source = new DirectorySource(() => directory);
    expect(source.people.marksOf({ id: 'x', login: 'ally' })).toHaveLength(1);
    directory = null;
    expect(source.resolve('manager', context())).toBe(null);
    expect(source.people.marksOf({ id: 'x', login: 'ally' })).toHaveLength(1);
    directory = {};
    expect(source.people.marksOf({ id: 'x', login: 'ally' })).toEqual([]);
  });

  test('20,000 people, all of them linked in one line, are one human, and quickly', () => {
    const people = Array.from({ length: 20_000 }, (_, at) => ({ id: `p${at}`, logins: [`u${at}`, `u${at + 1}`] }));
    const took = cpuMs(() => {
      const linked = new People(people);
      const [one] = linked.marksOf({ id: 'x', login: 'u0' });
      expect(linked.marksOf({ id: 'y', login: 'U20000' })).toEqual([one]);
    });
    expect(took).toBeLessThan(5_000);
  });
});

const ICS = (start: string, end: string, who: string): string =>
  [
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//x//x//EN',
    'BEGIN:VEVENT',
    'UID:1@x',
    `DTSTART:${start}`,
    `DTEND:${end}`,
    who,
    'END:VEVENT',
    'END:VCALENDAR',
  ].join('\r\n');
const NOW_ICS = ICS('20261123T090000Z', '20261123T110000Z', 'ATTENDEE:mailto:Bob@Example.com');

describe('oncall:…', () => {
  const source = (
    read: OnCallCalendar['read'],
    more: Partial<OnCallCalendar> = {},
    log: Log = silentLog,
  ): { source: OnCallSource; clock: FakeClock } => {
    const own = new FakeClock();
    const calendar: OnCallCalendar = {
      read,
      refreshMs: 60_000,
      maxAgeMs: 3_600_000,
      timeoutMs: 500,
      timeZone: null,
      logins: {},
      domain: null,
      ...more,
    };
    const one = new OnCallSource({ calendars: { shop: calendar }, clock: own, log, shifts: (question) => readCalendar(question) });
    clean.push(() => one.close());
    return { source: one, clock: own };
  };
  const who = (one: { source: OnCallSource; clock: FakeClock }): unknown =>
    one.source.resolve('shop', context({ nowUs: one.clock.wallUs() }))?.map((named) => Object.values(named)[0]) ?? null;

  test.each<[string, string, Partial<OnCallCalendar>, readonly string[]]>([
    ['an address of the domain', 'ATTENDEE:mailto:Bob@Example.com', { domain: 'example.com' }, ['Bob']],
    ['an address of another domain', 'ATTENDEE:mailto:bob@example.com.evil.org', { domain: 'example.com' }, []],
    ['an address with two @', 'ATTENDEE:mailto:root@x@example.com', { domain: 'example.com' }, []],
    ['by the table', 'ATTENDEE:mailto:Bob@Example.com', { logins: { 'bob@example.com': 'rob' } }, ['rob']],
    ['a title by the table', 'SUMMARY:Bob Builder (primary)', { logins: { 'bob builder (primary)': 'bob' } }, ['bob']],
    ['a title that is a login', 'SUMMARY:bob', {}, ['bob']],
    ['a title that is none', 'SUMMARY:Bob Builder', {}, []],
    ['a title with what cannot be seen', 'SUMMARY:bo\u200bb', {}, []],
    ['an address, without any domain', 'ATTENDEE:mailto:bob@example.com', {}, []],
    ['a name that JavaScript knows', 'SUMMARY:__proto__', {}, ['__proto__']],
  ])('%s', async (_name, line, more, expected) => {
    const one = source(() => Promise.resolve(ICS('20261123T090000Z', '20261123T110000Z', line)), more);
    await one.source.refresh(['shop']);
    expect(who(one)).toEqual(expected);
  });

  test('a shift ends by the clock, without reading anything again', async () => {
    const one = source(() => Promise.resolve(NOW_ICS), { domain: 'example.com', refreshMs: 3_600_000, maxAgeMs: 7_200_000 });
    expect(who(one)).toBe(null);
    await one.source.refresh(['shop']);
    expect(who(one)).toEqual(['Bob']);
    one.clock.pass(3_599_000);
    expect(who(one)).toEqual(['Bob']);
    one.clock.pass(1_000);
    expect(who(one)).toEqual([]);
  });

  test('a copy that cannot be renewed counts until it is too old; then nobody is on call, and who reads again is told once', async () => {
    let up = true;
    const errors: string[] = [];
    const log: Log = { ...silentLog, error: (_fields: object, message: string) => void errors.push(message) };
    const long = ICS('20261123T090000Z', '20261124T090000Z', 'SUMMARY:bob');
    const one = source(() => (up ? Promise.resolve(long) : Promise.reject(new Error('no'))), {}, log);
    await one.source.refresh(['shop']);
    up = false;
    one.clock.pass(61_000);
    await one.source.refresh(['shop']);
    await vi.waitFor(() => expect(errors).toHaveLength(1));
    await one.source.refresh(['shop']); // not at once again
    expect([who(one), errors.length]).toEqual([['bob'], 1]);
    one.clock.pass(3_540_000);
    expect(who(one)).toBe(null);
    up = true;
    await one.source.refresh(['shop']);
    expect(who(one)).toEqual(['bob']);
    // a wall clock that was set back makes the copy worthless, not young
    one.clock.set(-3_000_000);
    expect(who(one)).toBe(null);
  });

  test('over an address: an answer that is complete, small and quick, and nothing else', async () => {
    const answers: Record<string, RequestListener> = {
      '/good.ics': (_request, response) => response.end(NOW_ICS),
      '/moved.ics': (_request, response) => response.writeHead(302, { location: '/good.ics' }).end(),
      '/long.ics': (_request, response) => response.end(Buffer.alloc(3 * 1024 * 1024, 'x')),
      '/hangs.ics': (_request, response) => void response.writeHead(200).write('BEGIN:VCALENDAR\r\n'),
      '/cut.ics': (_request, response) =>
        void response.writeHead(200, { 'content-length': 5_000 }).write('BEGIN:VCALENDAR', () => response.destroy()),
    };
    const server = createServer((request, response) =>
      (answers[request.url ?? ''] ?? ((_q, other) => other.writeHead(404).end()))(request, response),
    );
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    clean.push(() => {
      server.closeAllConnections();
      return new Promise((closed) => server.close(closed));
    });
    const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const read =
      (path: string): OnCallCalendar['read'] =>
      (bounds) =>
        fetchText(at + path, null, bounds);
    const good = source(read('/good.ics'), { domain: 'example.com' });
    await good.source.refresh(['shop']);
    expect(who(good)).toEqual(['Bob']);
    for (const path of ['/moved.ics', '/long.ics', '/hangs.ics', '/cut.ics', '/none.ics']) {
      const one = source(read(path), { domain: 'example.com' });
      using started = stopwatch();
      await one.source.refresh(['shop']);
      expect([path, who(one)]).toEqual([path, null]);
      expect(started.ms()).toBeLessThan(5_000);
    }
    await expect(fetchText('http://example.com/a.ics', null, { bytesMax: 1, timeoutMs: 1 })).rejects.toThrow('over https only');
    await expect(fetchText('file:///etc/passwd', null, { bytesMax: 1, timeoutMs: 1 })).rejects.toThrow('over https only');
  });

  test('a file: no folder, no device, nothing too long', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'interlock-ics-'));
    clean.push(() => rm(dir, { recursive: true }));
    await writeFile(join(dir, 'a.ics'), NOW_ICS);
    const bounds = { bytesMax: 10_000, timeoutMs: 1_000 };
    expect(await readTextFile(join(dir, 'a.ics'), bounds)).toBe(NOW_ICS);
    await expect(readTextFile(join(dir, 'a.ics'), { ...bounds, bytesMax: 10 })).rejects.toThrow('longer than 10 bytes');
    await expect(readTextFile(dir, bounds)).rejects.toThrow('no ordinary file');
    await expect(readTextFile('/dev/zero', bounds)).rejects.toThrow('no ordinary file');
    await expect(readTextFile(join(dir, 'b.ics'), bounds)).rejects.toThrow('ENOENT');
  });

  test('a copy that counts is gone by while it is read again: what is to run waits for nobody’s server', async () => {
    let reads = 0;
    const long = ICS('20261123T090000Z', '20261124T090000Z', 'SUMMARY:bob');
    const one = source(() => (reads++ === 0 ? Promise.resolve(long) : new Promise(() => {})));
    await one.source.refresh(['shop']);
    one.clock.pass(120_000);
    using started = stopwatch();
    await one.source.refresh(['shop']);
    expect([reads, who(one)]).toEqual([2, ['bob']]);
    expect(started.ms()).toBeLessThan(400);
  });

  test('a read that never ends is waited for once, and not by the next verdict again', async () => {
    const errors: string[] = [];
    const log: Log = { ...silentLog, error: (_fields: object, message: string) => void errors.push(message) };
    const one = source(() => new Promise(() => {}), { timeoutMs: -2_900 }, log); // patience: 100 ms
    using started = stopwatch();
    await one.source.refresh(['shop']);
    one.clock.pass(1_000);
    for (const _again of [1, 2]) await one.source.refresh(['shop']);
    expect([who(one), errors]).toEqual([null, ['the on-call calendar is still being read: whatever it is on hangs']]);
    expect(started.ms()).toBeLessThan(2_000);
  });
});

describe('rego:…', () => {
  test('is asked with who asks and for what; an answer of the moment holds for a second, another as long as the revision', () => {
    const asked: unknown[] = [];
    let revision = 'one';
    const rego = new RegoSource({
      ask: (name, input) => {
        asked.push([name, input]);
        return name === 'none' ? null : [{ user: 'bob' }];
      },
      revision: () => revision,
      readsTime: (name) => name === 'people',
    });
    const at = (ms: number): SourceContext => context({ nowUs: clock.wallUs() + ms * 1000 });
    expect(rego.resolve('people', at(0))).toEqual([{ user: 'bob' }]);
    expect(asked).toEqual([
      [
        'people',
        {
          requester: subject('alice'),
          target: { id: 'shop', env: 'production', labels: { team: 'billing' } },
          objects: ['update public.payments'],
          time: '2026-11-23T10:00:00.000000Z',
        },
      ],
    ]);
    rego.resolve('people', at(999));
    expect(asked).toHaveLength(1);
    rego.resolve('people', at(1_001));
    rego.resolve('people', at(-60_000));
    revision = 'two';
    rego.resolve('people', at(-60_000));
    expect(asked).toHaveLength(4);
    // one that does not read the time is asked once; one that failed is asked again after a while
    for (const ms of [0, 60_000]) expect([rego.resolve('others', at(ms)), rego.resolve('none', at(ms))]).toEqual([[{ user: 'bob' }], null]);
    expect(asked).toHaveLength(7);
  });
});

describe('groups, as last seen', () => {
  test('a group that a newer token lacks counts no more; an older token says nothing new, and nothing is added', () => {
    const seen = new SeenGroups();
    const bob = subject('bob', ['dba', 'sre']);
    expect(seen.of(bob)).toEqual(['dba', 'sre']);
    const token = (groups: string[], ageMs: number): Parameters<SeenGroups['see']>[0] => ({
      ...reviewer('bob', groups, clock),
      issuedAtMs: clock.wallUs() / 1000 - ageMs,
    });
    seen.see(token(['sre', 'new'], 1_000));
    expect(seen.of(bob)).toEqual(['sre']);
    seen.see(token(['dba', 'sre'], 2_000));
    expect(seen.of(bob)).toEqual(['sre']);
    seen.see(token(['dba', 'sre'], 0));
    expect(seen.of(bob)).toEqual(['dba', 'sre']);
    // of the same second: nobody can say which is newer
    for (const groups of [['dba'], ['dba', 'sre']]) seen.see(token(groups, 0));
    expect(seen.of(bob)).toEqual(['dba']);
    expect(seen.of(subject('carol', ['dba']))).toEqual(['dba']);
  });

  test('is bounded; who programs are is known by login and subject', () => {
    const seen = new SeenGroups(2);
    for (const login of ['a', 'b', 'c']) seen.see(reviewer(login, [], clock));
    expect([seen.of(subject('a', ['x'])), seen.of(subject('c', ['x']))]).toEqual([['x'], []]);
    seen.see({ ...reviewer('robot', [], clock), subject: subject('robot', [], { type: 'service' }) });
    expect([seen.isProgram('robot'), seen.isProgram(subject('robot').id), seen.isProgram('bob')]).toEqual([true, true, false]);
    seen.see({ ...reviewer('robot', [], clock), subject: subject('robot', [], { id: 'https://other|1' }) });
    expect([seen.isProgram('robot'), seen.isProgram(subject('robot').id)]).toEqual([false, true]);
  });
});

describe('the world of a request', () => {
  test('a source that fails, and one that is not there, name nobody; nothing rejects', async () => {
    const broken = {
      scheme: 'broken',
      resolve: () => {
        throw new Error('x');
      },
      refresh: () => Promise.reject(new Error('x')),
    }; // prettier-ignore
    const worlds = new ChainWorlds({
      clock,
      log: silentLog,
      sources: [broken],
      seen: new SeenGroups(),
      people: () => new People(),
      delegations: { inForce: () => [] },
      describe: () => null,
    });
    const asking = { subject: subject('alice'), target: 'shop', objects: [] };
    await worlds.prepare(asking, ['broken:x', 'none:x', 'nothing']);
    const world = worlds.of(asking);
    expect(['broken:x', 'none:x', 'nothing', ':', ''].map((ref) => world.resolve(ref))).toEqual([null, null, null, null, null]);
    expect(world.delegations).toEqual(TOKENS_ONLY.delegations);
  });
});
