/** The HTTP API over its own interfaces: who may read what (N6), strict input, bounds, errors. */
import { connect } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Api, type ApiParts, openApi } from '#engine/api/server';
import type { Principal } from '#client/identity';
import { silentLog } from '#client/log';
import { InterlockError } from '#schemas/errors';
import type { Event } from '#schemas/event';
import { approvalOf, fakeApi, type FakeApi, human, ULID } from '#test/support/api-parts';

const ALICE_SESSION = `ses_${ULID}`;
const CAROL_SESSION = `ses_${ULID.replace(/0$/, '1')}`;
const AGENT_SESSION = `ses_${ULID.replace(/0$/, '2')}`;

const PEOPLE: Readonly<Record<string, Principal>> = {
  alice: human('alice', ['support'], ['connect']),
  'alice-approve': human('alice', ['support'], ['approve']),
  bob: human('bob', ['owners'], ['approve']),
  carol: human('carol', [], ['connect']),
  auditor: human('auditor', ['auditors'], ['connect']),
  brief: { ...human('brief', ['auditors'], ['connect']), expiresAtMs: Date.now() + 150 },
};

const APPROVAL = approvalOf(PEOPLE['alice'] as Principal);

function event(session: string, type: string, more: object = {}): Event {
  return { contract: 1, type, time: '2026-11-23T10:00:00.000000Z', session_id: session, seq: 1, ...more } as unknown as Event;
}

function opened(session: string, login: string, forLogin?: string): Event {
  const properties = {
    login,
    groups: [],
    ...(forLogin === undefined ? {} : { on_behalf_of: { id: `iss|${forLogin}`, login: forLogin, groups: [] } }),
  };
  return event(session, 'session.opened', { subject_detail: { type: 'user', id: `iss|${login}`, properties } });
}

const EVENTS: readonly Event[] = [
  event('', 'journal.opened'),
  opened(ALICE_SESSION, 'alice'),
  opened(CAROL_SESSION, 'carol'),
  opened(AGENT_SESSION, 'bot', 'alice'),
  event(ALICE_SESSION, 'statement.refused', { code: 'DEFAULT_DENY' }),
  event(CAROL_SESSION, 'statement.refused', { code: 'DEFAULT_DENY' }),
  event(ALICE_SESSION, 'session.closed', { reason: 'client', statements: 1 }),
];

describe.each([
  { readers: null, everything: 'bob' },
  { readers: ['auditors'], everything: 'auditor' },
])('readers $readers', ({ readers, everything }) => {
  let api: Api;
  let fake: FakeApi;

  beforeEach(async () => {
    fake = fakeApi({ people: PEOPLE, approvals: [APPROVAL], readers, events: EVENTS });
    api = await openApi({ listen: { host: '127.0.0.1', port: 0 }, tls: null, parts: fake.parts, log: silentLog });
  });
  afterEach(async () => await api.close());

  async function get(path: string, token?: string): Promise<{ readonly status: number; readonly text: string }> {
    const response = await fetch(`${api.url}${path}`, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } });
    return { status: response.status, text: await response.text() };
  }
  async function lines(path: string, token: string): Promise<readonly Record<string, unknown>[]> {
    const { status, text } = await get(path, token);
    expect(status).toBe(200);
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }
  async function post(token: string, body: string, type = 'application/json'): Promise<{ readonly status: number; readonly code: string }> {
    const response = await fetch(`${api.url}/v1/approvals/${APPROVAL.approval_id}/verdict`, {
      method: 'POST',
      body,
      headers: { authorization: `Bearer ${token}`, 'content-type': type },
    });
    const document = (await response.json()) as { error?: { code: string } };
    return { status: response.status, code: document.error?.code ?? 'ok' };
  }

  test('health needs no token; everything else does, and a bad one is 401', async () => {
    expect(await get('/healthz')).toEqual({ status: 200, text: '{"ok":true}\n' });
    for (const path of [
      '/v1/status',
      '/v1/approvals',
      '/v1/sessions',
      '/v1/events',
      `/v1/sessions/${ALICE_SESSION}`,
      `/v1/approvals/${APPROVAL.approval_id}`,
    ]) {
      expect((await get(path)).status).toBe(401);
      expect((await get(path, 'nobody')).status).toBe(401);
    }
    expect((await get('/v1/nothing', 'alice')).status).toBe(404);
    expect((await get('/v1/events?subject=x', 'alice')).status).toBe(400);
    expect((await get('/v1/events?since=yesterday', 'alice')).status).toBe(400);
  });

  test('N6: everybody reads their own sessions and those of who acts for them, and no other', async () => {
    const seen = async (token: string): Promise<readonly unknown[]> => (await lines('/v1/sessions', token)).map((line) => line['session_id']);
    expect(await seen('alice')).toEqual([ALICE_SESSION, AGENT_SESSION]);
    expect(await seen('carol')).toEqual([CAROL_SESSION]);
    expect(await seen(everything)).toEqual([ALICE_SESSION, CAROL_SESSION, AGENT_SESSION]);
    expect((await get(`/v1/sessions/${ALICE_SESSION}`, 'carol')).status).toBe(404);
    expect((await lines(`/v1/sessions/${ALICE_SESSION}`, 'alice')).map(({ type }) => type)).toEqual([
      'session.opened',
      'statement.refused',
      'session.closed',
    ]);
    const events = await lines('/v1/events?type=statement.refused&type=journal.opened', 'carol');
    expect(events.map(({ session_id, type }) => [session_id, type])).toEqual([[CAROL_SESSION, 'statement.refused']]);
    expect((await lines('/v1/events', everything)).length).toBe(EVENTS.length);
    expect(await lines(`/v1/events?session=${ALICE_SESSION}`, 'carol')).toEqual([]);
  });

  test('N6: what one may not read answers exactly like what does not exist', async () => {
    const hidden = await get(`/v1/sessions/${ALICE_SESSION}`, 'carol');
    const absent = await get(`/v1/sessions/ses_${ULID.replace(/0$/, '9')}`, 'carol');
    expect(hidden.text.replace(/ses_\w+/, 'ID')).toBe(absent.text.replace(/ses_\w+/, 'ID'));
    const request = await get(`/v1/approvals/${APPROVAL.approval_id}`, 'carol');
    const none = await get(`/v1/approvals/apr_${ULID.replace(/0$/, '9')}`, 'carol');
    expect([request.status, none.status]).toEqual([404, 404]);
    expect(request.text.replace(/apr_\w+/, 'ID')).toBe(none.text.replace(/apr_\w+/, 'ID'));
  });

  test('approvals are shown to the requester, to whom they name, and to readers; looking is recorded', async () => {
    const sees = async (token: string): Promise<number> => (JSON.parse((await get('/v1/approvals', token)).text) as readonly unknown[]).length;
    expect([await sees('alice'), await sees('bob'), await sees(everything), await sees('carol')]).toEqual([1, 1, 1, 0]);
    expect((await get('/v1/approvals?state=denied', 'alice')).text).toBe('[]\n');
    await get(`/v1/approvals/${APPROVAL.approval_id}`, 'bob');
    await get(`/v1/sessions/${ALICE_SESSION}`, everything);
    expect(fake.asked.viewed).toEqual([
      ['iss|bob', { approvalId: APPROVAL.approval_id }],
      [PEOPLE[everything]?.subject.id, { sessionId: ALICE_SESSION }],
    ]);
  });

  test('a verdict needs scope approve and a body of exactly this form', async () => {
    expect(await post('alice', '{"outcome":"approve"}')).toEqual({ status: 403, code: 'AUTH_SCOPE' });
    expect(await post('alice-approve', '{"outcome":"approve"}')).toEqual({ status: 403, code: 'VERDICT_SELF' });
    for (const body of [
      '',
      '{}',
      '{"outcome":"maybe"}',
      '{"outcome":"approve","stage":"x"}',
      '[]',
      '{"outcome":"deny","outcome":"approve"}',
      '{"outcome":"deny","\\u006futcome":"approve"}',
      '{"outcome":"approve","comment":1}',
      `{"outcome":"approve","comment":"${'x'.repeat(4001)}"}`,
      '{"outcome":"approve"} {}',
    ])
      expect([body.slice(0, 60), await post('bob', body)]).toEqual([body.slice(0, 60), { status: 400, code: 'USAGE' }]);
    expect(await post('bob', '{"outcome":"approve"}', 'text/plain')).toEqual({ status: 400, code: 'USAGE' });
    expect(await post('bob', '{"outcome":"approve","comment":"}{\\"outcome\\":"}')).toEqual({ status: 200, code: 'ok' });
    expect(fake.asked.acts).toEqual([{ act: 'verdict', id: APPROVAL.approval_id, outcome: 'approve', comment: '}{"outcome":', by: 'iss|bob' }]);
  });

  test('a body without end is cut off', async () => {
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
    socket.on('error', () => {});
    socket.write(
      `POST /v1/approvals/${APPROVAL.approval_id}/verdict HTTP/1.1\r\nhost: x\r\nauthorization: Bearer bob\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`,
    );
    for (let chunk = 0; chunk < 20; chunk++) socket.write(`1000\r\n${' '.repeat(4096)}\r\n`);
    let answer = '';
    socket.on('data', (bytes: Buffer) => (answer += bytes.toString()));
    await once(socket, 'close');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('longer than 64 KiB');
  });

  test('readings of the record at a time are bounded, and their places come back', async () => {
    const headers = { authorization: `Bearer ${everything}` };
    const open = await Promise.all(Array.from({ length: 16 }, async () => await fetch(`${api.url}/v1/events?follow=true`, { headers })));
    expect(open.map(({ status }) => status)).toEqual(Array(16).fill(200));
    const busy = await get('/v1/sessions', everything);
    expect([busy.status, busy.text]).toEqual([503, expect.stringContaining('API_BUSY')]);
    expect((await get('/v1/status', everything)).status).toBe(200);
    await Promise.all(open.map(async ({ body }) => await body?.cancel()));
    await expect.poll(async () => (await get('/v1/sessions', everything)).status).toBe(200);
  });

  test('a followed stream ends when its reader goes, when its token ends, and when the server closes', async () => {
    const controller = new AbortController();
    const headers = { authorization: `Bearer ${everything}` };
    const response = await fetch(`${api.url}/v1/events?follow=true`, { headers, signal: controller.signal });
    const reader = response.body?.getReader();
    expect((await reader?.read())?.done).toBe(false);
    await expect.poll(() => fake.follows()).toBe(1);
    controller.abort();
    await expect.poll(() => fake.follows()).toBe(0);

    const brief = await fetch(`${api.url}/v1/events?follow=true`, { headers: { authorization: 'Bearer brief' } });
    await brief.text().catch(() => '');
    expect(fake.follows()).toBe(0);

    const last = await fetch(`${api.url}/v1/events?follow=true`, { headers });
    await expect.poll(() => fake.follows()).toBe(1);
    await api.close();
    await last.text().catch(() => '');
    await expect.poll(() => fake.follows()).toBe(0);
    api = await openApi({ listen: { host: '127.0.0.1', port: 0 }, tls: null, parts: fake.parts, log: silentLog });
  });
});

test('one session is read from where it begins, where that is known; what cannot be known is read from the start', async () => {
  const asked: (number | undefined)[] = [];
  const viewed: object[] = [];
  const { parts } = fakeApi({ people: PEOPLE, approvals: [], readers: null, events: EVENTS });
  const watched: ApiParts = {
    ...parts,
    viewed: async (_by, what) => void viewed.push(what),
    events: (query) => {
      asked.push(query.since);
      return parts.events(query);
    },
    projection: {
      ...(parts.projection as NonNullable<ApiParts['projection']>),
      beginOf: (session) => {
        if (session === CAROL_SESSION) throw new InterlockError('PROJECTION_BEHIND', 'it is being built');
        return { first: 7, journal: '' };
      },
    },
  };
  const api = await openApi({ listen: { host: '127.0.0.1', port: 0 }, tls: null, parts: watched, log: silentLog });
  for (const path of [`/v1/sessions/${ALICE_SESSION}`, `/v1/events?session=${ALICE_SESSION}`, `/v1/sessions/${CAROL_SESSION}`, '/v1/events'])
    expect((await fetch(api.url + path, { headers: { authorization: 'Bearer bob' } })).status).toBe(200);
  expect(asked).toEqual([6, 6, undefined, undefined]);
  for (const path of [`/v1/search?session=${ALICE_SESSION}`, '/v1/search?q=payments', '/v1/search'])
    expect((await fetch(api.url + path, { headers: { authorization: 'Bearer bob' } })).status).toBe(200);
  const alice = { sessionId: ALICE_SESSION };
  const all = { record: true };
  expect(viewed).toEqual([alice, alice, { sessionId: CAROL_SESSION }, all, alice, all, all]); // every look is recorded
  await api.close();
});

test('a port that is taken, an address that is not ours', async () => {
  const { parts } = fakeApi({ people: PEOPLE, approvals: [], readers: null });
  const first = await openApi({ listen: { host: '127.0.0.1', port: 0 }, tls: null, parts, log: silentLog });
  const port = Number(new URL(first.url).port);
  await expect(openApi({ listen: { host: '127.0.0.1', port }, tls: null, parts, log: silentLog })).rejects.toMatchObject({
    code: 'PORT_TAKEN',
    message: `127.0.0.1:${port} is in use`,
  });
  await first.close();
  await expect(openApi({ listen: { host: '192.0.2.1', port: 0 }, tls: null, parts, log: silentLog })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
  });
  await expect(openApi({ listen: { host: '127.0.0.1', port: 0 }, tls: { cert: 'x', key: 'y' }, parts, log: silentLog })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
  });
});

test('invariant 9: calls of the MCP server that wait leave room for others, and for reviewers', async () => {
  const { parts } = fakeApi({ people: PEOPLE, approvals: [], readers: null, events: [] });
  const waiting = Promise.withResolvers<object>();
  let running = 0;
  const assistant: ApiParts['assistant'] = { answer: () => ((running += 1), waiting.promise) };
  const api = await openApi({ listen: { host: '127.0.0.1', port: 0 }, tls: null, parts: { ...parts, assistant }, log: silentLog });
  const ask = (who: string): Promise<Response> =>
    fetch(`${api.url}/mcp`, { method: 'POST', headers: { authorization: `Bearer ${who}`, 'content-type': 'application/json' }, body: '{}' });
  try {
    const held = Array.from({ length: 16 }, () => ask('alice'));
    await expect.poll(() => running).toBe(16);
    expect((await ask('alice')).status).toBe(429);
    const other = ask('carol');
    await expect.poll(() => running).toBe(17);
    waiting.resolve({});
    for (const one of [...held, other]) expect((await one).status).toBe(200);
    expect((await ask('alice')).status).toBe(200);
  } finally {
    await api.close();
  }
});
