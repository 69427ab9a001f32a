/** SECURITY N6: every route, for everybody. A route without an entry fails: who may read what is decided when it is written, not later. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Principal } from '#client/identity';
import { silentLog } from '#client/log';
import { ROUTES } from '#engine/api/routes';
import { type Api, openApi } from '#engine/api/server';
import type { Event } from '#schemas/event';
import { agent, approvalOf, fakeApi, type FakeApi, human, id } from '#test/support/api-parts';
import { ConsoleBrowser } from '#test/support/console-browser';

/** Tokens are their names. Readers are the auditors. */
const PEOPLE = {
  /** somebody else */ carol: human('carol', [], ['connect']),
  /** somebody else, who may decide elsewhere */ mallory: human('mallory', ['strangers'], ['approve']),
  /** the requester, with a token for data */ alice: human('alice', ['support'], ['connect']),
  /** the requester, who may decide elsewhere */ alicia: human('alice', ['support'], ['approve']),
  /** an agent, with a request of its own */ bot: agent('bot', 'olga'),
  /** the human behind it */ olga: human('olga', [], ['connect']),
  /** asked by the group that the stage names */ bob: human('bob', ['owners'], ['approve']),
  /** of that group, but with a token for data */ bobby: human('bob', ['owners'], ['connect']),
  /** asked by a source: an on-call calendar, a delegation … */ sam: human('sam', [], ['approve']),
  /** reads everything */ rita: human('rita', ['auditors'], ['connect']),
  /** reads everything, and may decide elsewhere */ dan: human('dan', ['auditors'], ['approve']),
} as const satisfies Record<string, Principal>;
type Who = keyof typeof PEOPLE | 'nobody';
const EVERYBODY = [...Object.keys(PEOPLE), 'nobody'] as readonly Who[];

const ALICES = approvalOf(PEOPLE.alice, { approval_id: id('apr', 1) });
const BOTS = approvalOf(PEOPLE.bot, { approval_id: id('apr', 2) });

interface Entry {
  readonly call: string;
  readonly body?: object;
  /** Status, and how many items where it is a list; who is not named gets `others`. */
  readonly answers: Partial<Record<Who, number | readonly [status: number, items: number]>>;
  readonly others: number | readonly [status: number, items: number];
}

const all = (answer: Entry['others']): Pick<Entry, 'answers' | 'others'> => ({ answers: { nobody: 401 }, others: answer });
/** The request of alice: whoever may look at it. */
const ALICES_READERS = { alice: 200, alicia: 200, bob: 200, sam: 200, rita: 200, dan: 200, nobody: 401 } as const;
/** What needs scope `approve`: tokens for data are refused before anything is looked at. */
const NOT_FOR_DATA = { carol: 403, alice: 403, bot: 403, olga: 403, bobby: 403, rita: 403, nobody: 401 } as const;
const DECIDERS = { ...NOT_FOR_DATA, mallory: 404, alicia: 200, bob: 200, sam: 200, dan: 200 } as const;
/** Sessions: alice has one, carol one, the agent one. */
const SESSIONS = {
  alice: [200, 1],
  alicia: [200, 1],
  carol: [200, 1],
  bot: [200, 1],
  olga: [200, 1],
  rita: [200, 3],
  dan: [200, 3],
  nobody: 401,
} as const;
/** The projection of the fake holds alice's alone. */
const PROJECTED = { alice: [200, 1], alicia: [200, 1], rita: [200, 1], dan: [200, 1], nobody: 401 } as const;
const ALICES_SESSION = { alice: 200, alicia: 200, rita: 200, dan: 200, nobody: 401 } as const;

const TABLE: Readonly<Record<string, Entry>> = {
  'GET /v1/status': { call: '/v1/status', ...all(200) },
  'GET /v1/me': { call: '/v1/me', ...all(200) },
  'POST /v1/logout': { call: '/v1/logout', ...all(200) },
  'POST /v1/console/links': { call: '/v1/console/links', answers: NOT_FOR_DATA, others: 200 },
  'GET /v1/inbox': {
    call: '/v1/inbox?box=all',
    answers: {
      nobody: 401,
      alice: [200, 1],
      alicia: [200, 1],
      bot: [200, 1],
      olga: [200, 1],
      bob: [200, 2],
      sam: [200, 2],
      rita: [200, 2],
      dan: [200, 2],
    },
    others: [200, 0],
  },
  'GET /v1/approvals': {
    call: '/v1/approvals',
    answers: {
      nobody: 401,
      alice: [200, 1],
      alicia: [200, 1],
      bot: [200, 1],
      olga: [200, 1],
      bob: [200, 2],
      sam: [200, 2],
      rita: [200, 2],
      dan: [200, 2],
    },
    others: [200, 0],
  },
  'GET /v1/approvals/ID': { call: `/v1/approvals/${ALICES.approval_id}`, answers: ALICES_READERS, others: 404 },
  'GET /v1/approvals/ID/page': { call: `/v1/approvals/${ALICES.approval_id}/page`, answers: ALICES_READERS, others: 404 },
  'POST /v1/approvals/ID/verdict': {
    call: `/v1/approvals/${ALICES.approval_id}/verdict`,
    body: { outcome: 'deny' },
    answers: { ...NOT_FOR_DATA, mallory: 404, alicia: 403, bob: 200, sam: 200, dan: 403 },
    others: 404,
  },
  'POST /v1/approvals/ID/cancel': {
    call: `/v1/approvals/${BOTS.approval_id}/cancel`,
    body: {},
    answers: { nobody: 401, bot: 200, olga: 200, bob: 403, sam: 403, rita: 403, dan: 403 },
    others: 404,
  },
  'POST /v1/approvals/ID/withdraw': { call: `/v1/approvals/${ALICES.approval_id}/withdraw`, body: {}, answers: DECIDERS, others: 404 },
  'POST /v1/approvals/ID/break-glass': {
    call: `/v1/approvals/${ALICES.approval_id}/break-glass`,
    body: { reason: 'fire' },
    answers: DECIDERS,
    others: 404,
  },
  'POST /v1/approvals/ID/review': {
    call: `/v1/approvals/${ALICES.approval_id}/review`,
    body: { outcome: 'justified', comment: 'it burned' },
    answers: DECIDERS,
    others: 404,
  },
  'GET /v1/delegations': {
    call: '/v1/delegations',
    answers: { nobody: 401, bob: [200, 1], bobby: [200, 1], rita: [200, 1], dan: [200, 1] },
    others: [200, 0],
  },
  'POST /v1/delegations': {
    call: '/v1/delegations',
    body: { to: 'dora', starts: '2026-11-23T10:00:00Z', ends: '2026-11-24T10:00:00Z', reason: 'leave' },
    answers: NOT_FOR_DATA,
    others: 200,
  },
  'DELETE /v1/delegations/ID': { call: `/v1/delegations/${id('dlg')}`, answers: { ...NOT_FOR_DATA, bob: 200 }, others: 404 },
  'GET /v1/sessions': { call: '/v1/sessions', answers: SESSIONS, others: [200, 0] },
  'GET /v1/sessions/page': { call: '/v1/sessions/page', answers: PROJECTED, others: [200, 0] },
  'GET /v1/sessions/ID': { call: `/v1/sessions/${id('ses')}`, answers: ALICES_SESSION, others: 404 },
  'DELETE /v1/sessions/ID': { call: `/v1/sessions/${id('ses')}`, answers: { nobody: 401, dan: 200 }, others: 403 },
  'GET /v1/sessions/ID/page': { call: `/v1/sessions/${id('ses')}/page`, answers: ALICES_SESSION, others: 404 },
  'GET /v1/search': { call: '/v1/search', answers: PROJECTED, others: [200, 0] },
  'GET /v1/events': { call: '/v1/events?type=session.opened', answers: SESSIONS, others: [200, 0] },
  'GET /v1/enforcers': { call: '/v1/enforcers', answers: { nobody: 401, rita: [200, 1], dan: [200, 1] }, others: [200, 0] },
  'GET /v1/notifications': { call: '/v1/notifications', answers: { nobody: 401, rita: [200, 1], dan: [200, 1] }, others: [200, 0] },
  'POST /v1/notifications/test': {
    call: '/v1/notifications/test',
    body: { channel: 'hook' },
    answers: { ...NOT_FOR_DATA, dan: 200 },
    others: 404,
  },
  'POST /v1/notifications/ID/resend': {
    call: `/v1/notifications/${id('ntf')}/resend`,
    answers: { ...NOT_FOR_DATA, dan: 200 },
    others: 404,
  },
  // who may say what speaks for a target: members of `api.admins`, with a token that may decide
  'GET /v1/enrolment': { call: '/v1/enrolment', answers: { nobody: 401, dan: [200, 1] }, others: 403 },
  'POST /v1/enrolment': {
    call: '/v1/enrolment',
    body: { name: 'shop-2', targets: ['shop'], ttl_ms: 60_000 },
    answers: { nobody: 401, dan: 200 },
    others: 403,
  },
  'GET /v1/enrolment/NAME': { call: '/v1/enrolment/shop-1', answers: { nobody: 401, dan: 200 }, others: 403 },
  'DELETE /v1/enrolment/NAME': { call: '/v1/enrolment/shop-1', answers: { nobody: 401, dan: 200 }, others: 403 },
  // agents: their human's, and all of them for members of `api.admins`; one may look at itself
  'GET /v1/agents': { call: '/v1/agents', answers: { nobody: 401, olga: [200, 1], dan: [200, 1] }, others: [200, 0] },
  'POST /v1/agents': { call: '/v1/agents', body: { name: 'new', targets: ['shop'], key: {} }, answers: { nobody: 401, bot: 403 }, others: 200 },
  'GET /v1/agents/NAME': { call: '/v1/agents/bot', answers: { nobody: 401, olga: 200, dan: 200, bot: 200 }, others: 404 },
  'DELETE /v1/agents/NAME': { call: '/v1/agents/bot', answers: { nobody: 401, olga: 200, dan: 200 }, others: 404 },
  'POST /v1/agents/NAME/rotate': { call: '/v1/agents/bot/rotate', body: { key: {} }, answers: { nobody: 401, olga: 200, dan: 200 }, others: 404 },
  'GET /v1/agents/NAME/claims': { call: '/v1/agents/bot/claims', answers: { nobody: 401, olga: 200, dan: 200, bot: 200 }, others: 404 },
  // a stream: below
  'GET /v1/live': { call: '', answers: {}, others: 200 },
  // nobody has logged in yet: what these give is tested with the logins
  'GET /login/options': { call: '/login/options', answers: {}, others: 200 },
  'GET /login/start/NAME': { call: '/login/start/nowhere', answers: {}, others: 404 },
  'GET /login/callback/NAME': { call: '/login/callback/nowhere?code=x&state=y', answers: {}, others: 302 },
  'POST /login/token': { call: '/login/token', body: { token: 'who.is.this' }, answers: {}, others: 401 },
  'POST /login/link': { call: '/login/link', body: { code: 'x'.repeat(43) }, answers: {}, others: 401 },
};

const opened = (session: string, { subject }: Principal): Event =>
  ({
    contract: 1,
    type: 'session.opened',
    time: '2026-11-23T10:00:00.000000Z',
    session_id: session,
    seq: 1,
    subject_detail: subject,
  }) as unknown as Event;
const EVENTS = [opened(id('ses'), PEOPLE.alice), opened(id('ses', 1), PEOPLE.carol), opened(id('ses', 2), PEOPLE.bot)];

let api: Api;
let fake: FakeApi;
beforeAll(async () => {
  fake = fakeApi({ people: PEOPLE, approvals: [ALICES, BOTS], readers: ['auditors'], admins: ['auditors'], events: EVENTS, asks: ['sam'] });
  api = await openApi({ listen: { host: '127.0.0.1', port: 0 }, tls: null, parts: fake.parts, log: silentLog });
});
afterAll(() => api.close());

/** `^\/v1\/approvals\/(apr_…)\/page$` → `/v1/approvals/ID/page` */
function spelled(path: RegExp): string {
  return path.source
    .replaceAll(/\((?:\[a-z\]\{3\}|apr|ses)_[^)]*\)/g, 'ID')
    .replaceAll(/\(\[a-z0-9\][^)]*\)/g, 'NAME')
    .replaceAll(/[\\^$]/g, '');
}

test('every route has an entry, and every entry a route', () => {
  expect(Object.keys(TABLE).sort()).toEqual(ROUTES.map(({ method, path }) => `${method} ${spelled(path)}`).sort());
});

const browsers = new Map<Who, ConsoleBrowser>();

async function ask(way: 'token' | 'console', who: Who, route: string, { call, body }: Pick<Entry, 'call' | 'body'>): Promise<Response> {
  const method = route.split(' ')[0] as string;
  const init = { method, ...(method === 'POST' ? { body: JSON.stringify(body ?? {}) } : {}) };
  const type = { 'content-type': 'application/json', origin: api.url };
  if (way === 'token' || who === 'nobody')
    return await fetch(api.url + call, {
      ...init,
      redirect: 'manual',
      headers: { ...type, ...(who === 'nobody' ? {} : { authorization: `Bearer ${who}` }) },
    });
  const browser = route.endsWith('/logout') ? new ConsoleBrowser(api.url) : (browsers.get(who) ?? new ConsoleBrowser(api.url));
  if (!browsers.has(who)) await browser.login(who);
  if (!route.endsWith('/logout')) browsers.set(who, browser);
  else if (browser.csrf === '') await browser.login(who);
  return await browser.send(call, { ...init, headers: { ...type, 'x-interlock-csrf': browser.csrf } });
}

function itemsIn(text: string, type: string | null): number {
  if (type === 'application/x-ndjson') return text.split('\n').filter(Boolean).length;
  const document = JSON.parse(text) as readonly unknown[] | { readonly items: readonly unknown[] };
  return ('items' in document ? document.items : document).length;
}

describe.each(['token', 'console'] as const)('with a %s', (way) => {
  // an agent has no console, and a link to it is made with a token
  const people = EVERYBODY.filter((who) => way === 'token' || (who !== 'bot' && who !== 'nobody'));
  const entries = Object.entries(TABLE).filter(([route]) => route !== 'GET /v1/live' && (way === 'token' || !/login|console\/links/.test(route)));

  test.each(entries)('%s', async (route, entry) => {
    for (const who of people) {
      const expected = entry.answers[who] ?? entry.others;
      const response = await ask(way, who, route, entry);
      const text = await response.text();
      const found = typeof expected === 'number' ? response.status : [response.status, itemsIn(text, response.headers.get('content-type'))];
      expect([who, found]).toEqual([who, expected]);
      // what one may not read answers exactly like what does not exist
      const nothing = entry.call.replace(/_01J0+\d/, `_${'9'.repeat(26)}`);
      if (response.status !== 404 || nothing === entry.call) continue;
      const absent = await ask(way, who, route, { ...entry, call: nothing });
      expect([who, absent.status, anonymous(await absent.text())]).toEqual([who, 404, anonymous(text)]);
    }
  });
});

function anonymous(text: string): string {
  return text.replaceAll(/[a-z]{3}_[0-9A-Z]{26}/g, 'ID');
}

describe('live', () => {
  const owners = [PEOPLE.alice.subject.id];
  const mine = { live: { kind: 'session', id: id('ses'), state: 'closed' }, owners } as const;
  const given = { live: { kind: 'delegation', id: id('dlg') }, owners: 'delegation' } as const;
  const end = { live: { kind: 'policy', id: 'sha256:00' }, owners: 'everybody' } as const;
  const SEES: Readonly<Record<Exclude<Who, 'nobody'>, readonly string[]>> = {
    carol: [],
    mallory: [],
    alice: ['approval', 'session'],
    alicia: ['approval', 'session'],
    bot: [],
    olga: [],
    bob: ['approval', 'delegation'],
    bobby: ['delegation'],
    sam: ['approval'],
    rita: ['approval', 'session', 'delegation'],
    dan: ['approval', 'session', 'delegation'],
  };

  test('everybody is told of what they may read, and of nothing else', async () => {
    const people = Object.keys(SEES) as (keyof typeof SEES)[];
    const streams = await Promise.all(
      people.map(async (who) => {
        const response = await fetch(`${api.url}/v1/live`, { headers: { authorization: `Bearer ${who}` } });
        return { who, status: response.status, body: response.body as ReadableStream<Uint8Array> };
      }),
    );
    fake.tellApproval(ALICES.approval_id, 'approved');
    fake.tell(mine);
    fake.tell(given);
    fake.tell(end);
    for (const { who, status, body } of streams) {
      expect(status).toBe(200);
      const kinds = await kindsUntil(body, 'policy');
      expect([who, kinds]).toEqual([who, [...SEES[who], 'policy']]);
    }
    expect((await fetch(`${api.url}/v1/live`)).status).toBe(401);
  });
});

async function kindsUntil(body: ReadableStream<Uint8Array>, last: string): Promise<readonly string[]> {
  let text = '';
  for await (const chunk of body) {
    text += Buffer.from(chunk).toString();
    const kinds = [...text.matchAll(/"kind":"(\w+)"/g)].map(([, kind]) => kind ?? '');
    if (kinds.includes(last)) return kinds;
  }
  throw new Error(`the stream ended: ${text}`);
}
