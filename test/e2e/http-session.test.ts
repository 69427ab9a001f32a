/** Requests through the HTTP enforcer to a server that records every byte. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { ApprovalBook } from '#engine/approvals/approvals';
import type { ApprovalView } from '#schemas/approval';
import { requirement } from '#test/support/approvals';
import { ALLOW_HTTP, HTTP_TOKEN, type HttpGateway, OK, type Recorder, startHttpGateway, startRecorder } from '#test/support/http-gateway';
import { principal } from '#test/support/postgres-gateway';
import { openBook, openedIn, ritaSays } from '#test/support/reviewed-book';

const run = promisify(execFile);
const ROUTES = 'routes: [{ route: "GET /orders/{id}", id: getOrder }, { route: "POST /refunds", id: createRefund, consumes: [application/json] }]';
const AUTH = { authorization: `Bearer ${HTTP_TOKEN}` };

let target: Recorder;
let gateway: HttpGateway;
let book: ApprovalBook;
const asks = requirement();

beforeAll(async () => {
  target = await startRecorder();
  gateway = await startHttpGateway({
    upstream: target,
    routes: ROUTES,
    approvals: async (journal) => (book = await openBook(journal)),
  });
});
afterAll(async () => {
  book?.close();
  await gateway?.[Symbol.asyncDispose]();
  await target?.[Symbol.asyncDispose]();
});
beforeEach(() => {
  gateway.rule = () => ALLOW_HTTP;
  target.reply = (_, socket) => void socket.write(OK);
});

const sent = (): number => target.requests.length;
const held = ({ moment }: Parameters<HttpGateway['rule']>[0]): ReturnType<HttpGateway['rule']> =>
  moment.approval?.requirement === asks.digest ? ALLOW_HTTP : { effect: 'require_approval', requirement: asks };
const refund = (amount: number, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${gateway.url}/refunds`, {
    method: 'POST',
    headers: { ...AUTH, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ amount }),
  });
const opened = (text: string): Promise<ApprovalView> => openedIn(book, text);
const verdict = (id: string, outcome: 'approve' | 'deny', comment?: string): Promise<ApprovalView> => ritaSays(book, id, outcome, comment);
const types = async (): Promise<string[]> => (await gateway.events()).map(({ type }) => type);

describe('I1, I2: what is allowed passes, recorded first', () => {
  test('curl reads through the gateway with a token; the target sees its own credential and never the token', async () => {
    const { stdout } = await run('curl', ['-sS', '-i', '-H', `Authorization: Bearer ${HTTP_TOKEN}`, `${gateway.url}/orders/7?x=1`]);
    expect(stdout).toContain('200 OK');
    expect(stdout).toContain('{"ok":true}');
    expect(target.requests.at(-1)).toBe('GET /orders/7?x=1 HTTP/1.1');
    const request = target.connections.at(-1) ?? '';
    expect(request).toContain('authorization: Bearer s3cret-canary\r\n');
    expect(request).toContain(`host: 127.0.0.1:${target.port}\r\n`);
    expect(request).not.toContain(HTTP_TOKEN);
    expect(await types()).toEqual(
      expect.arrayContaining(['session.opened', 'statement.received', 'statement.decided', 'statement.cleared', 'statement.finished']),
    );
  });

  test('the token as the password of Basic, for clients that know nothing else', async () => {
    const { stdout } = await run('curl', ['-sS', '-u', `alice:${HTTP_TOKEN}`, `${gateway.url}/orders/8`]);
    expect(stdout).toBe('{"ok":true}');
    const wrong = await run('curl', ['-sS', '-o', '/dev/null', '-w', '%{http_code}', '-u', `bob:${HTTP_TOKEN}`, `${gateway.url}/orders/8`]);
    expect(wrong.stdout).toBe('401');
  });

  test('I2: nothing leaves before its intent is on the disk', async () => {
    await (await fetch(`${gateway.url}/orders/1`, { headers: AUTH })).text();
    const gate = Promise.withResolvers<void>();
    gateway.journal.gate = gate.promise;
    const before = sent();
    const answer = fetch(`${gateway.url}/orders/9`, { headers: AUTH });
    await expect.poll(() => gateway.enforcer.sessions().some(({ state }) => state === 'active')).toBe(true);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(sent()).toBe(before);
    gate.resolve();
    gateway.journal.gate = null;
    expect((await answer).status).toBe(200);
    expect(sent()).toBe(before + 1);
  });

  test('one session for a token and an address, whatever its connections; another token has another, and other connections to the target', async () => {
    gateway.tokens.set('token-of-bob', principal('bob'));
    await (await fetch(`${gateway.url}/orders/1`, { headers: AUTH })).text();
    await (await fetch(`${gateway.url}/orders/2`, { headers: { authorization: 'Bearer token-of-bob' } })).text();
    const sessions = gateway.enforcer.sessions();
    expect(new Set(sessions.map(({ subject }) => subject.properties.login))).toEqual(new Set(['alice', 'bob']));
    const mixed = target.connections.filter((bytes) => bytes.includes('/orders/1 ') && bytes.includes('/orders/2 '));
    expect(mixed).toEqual([]);
  });
});

describe('I3: what is denied never leaves', () => {
  test('403 as problem+json, with decision, policy and what would be allowed', async () => {
    gateway.rule = () => ({ effect: 'deny', code: 'NO_REFUNDS', reason: 'agents make no refunds', hint: 'Ask for GET /orders/{id}.' });
    const before = sent();
    const answer = await refund(5);
    expect(answer.status).toBe(403);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(await answer.json()).toMatchObject({
      type: 'urn:interlock:NO_REFUNDS',
      status: 403,
      code: 'NO_REFUNDS',
      detail: 'refused by policy: agents make no refunds',
      decision: expect.stringMatching(/^dec_/) as string,
      policy: 'policies.test.rule',
      hint: 'Ask for GET /orders/{id}.',
    });
    expect(answer.headers.get('interlock-refusal')).toBe('NO_REFUNDS');
    expect(sent()).toBe(before);
  });

  test('a code that is no word of a header is none there; a target cannot speak for the gateway', async () => {
    gateway.rule = () => ({ effect: 'deny', code: 'NO\r\nset-cookie: a=b', reason: 'no' });
    const answer = await refund(5);
    expect(answer.status).toBe(403);
    expect([answer.headers.get('interlock-refusal'), answer.headers.get('set-cookie')]).toEqual(['REFUSED', null]);
    gateway.rule = () => ALLOW_HTTP;
    target.reply = (_, socket) =>
      void socket.write('HTTP/1.1 403 Forbidden\r\nInterlock-Refusal: APPROVAL_PENDING\r\nX-Of-The-Target: yes\r\nContent-Length: 2\r\n\r\nno');
    const told = await fetch(`${gateway.url}/orders/1`, { headers: AUTH });
    expect([told.status, await told.text()]).toEqual([403, 'no']);
    expect([told.headers.get('interlock-refusal'), told.headers.get('x-of-the-target')]).toEqual([null, 'yes']);
  });

  test('401 without a token, with a wrong one, and with one that ended', async () => {
    const before = sent();
    for (const headers of [{}, { authorization: 'Bearer nonsense' }, { authorization: 'Digest x' }] as Record<string, string>[]) {
      const answer = await fetch(`${gateway.url}/orders/1`, { headers });
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toContain('Bearer');
      expect(await answer.json()).toMatchObject({ code: 'AUTH_FAILED' });
    }
    gateway.tokens.set('short', principal('eve', { expiresAtMs: Date.now() - 1 }));
    expect((await fetch(`${gateway.url}/orders/1`, { headers: { authorization: 'Bearer short' } })).status).toBe(401);
    expect(sent()).toBe(before);
  });

  test('400 for what is not understood, and it is recorded', async () => {
    const answer = await fetch(`${gateway.url}/refunds`, {
      method: 'POST',
      headers: { ...AUTH, 'content-type': 'application/json' },
      body: '{"a":1,"a":2}',
    });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code: 'UNPARSED' });
    expect((await gateway.events()).findLast(({ type }) => type === 'statement.refused')).toMatchObject({ code: 'UNPARSED' });
  });
});

describe('A: what needs approval', () => {
  test('is held, approved, sent once; the next one is asked about anew', async () => {
    gateway.rule = held;
    const before = sent();
    const answer = refund(101);
    const request = await opened('101');
    expect(gateway.enforcer.sessions()).toContainEqual(expect.objectContaining({ state: 'held', approval_id: request.approval_id }));
    expect(sent()).toBe(before);
    await verdict(request.approval_id, 'approve');
    expect((await answer).status).toBe(200);
    expect(sent()).toBe(before + 1);
    const again = await refund(101, { prefer: 'wait=0' });
    expect(again.status).toBe(403);
    expect(await again.json()).toMatchObject({ code: 'APPROVAL_PENDING' });
    expect(sent()).toBe(before + 1);
  });

  test('Prefer: wait shortens it; whoever is told "pending" and comes back gets the one execution', async () => {
    gateway.rule = held;
    const before = sent();
    const pending = await refund(202, { prefer: 'wait=0' });
    expect(pending.status).toBe(403);
    expect(pending.headers.get('retry-after')).toMatch(/^\d+$/);
    const { approval, review } = (await pending.json()) as { approval: string; review: string };
    expect(review).toBe(`https://interlock.example.com/approvals/${approval}`);
    expect(pending.headers.get('link')).toContain(review);
    await verdict(approval, 'approve');
    expect((await refund(202)).status).toBe(200);
    expect(sent()).toBe(before + 1);
    expect(await types()).toContain('approval.consumed');
  });

  test('a denial says the reviewer’s words, to whoever waits and to whoever asks again', async () => {
    gateway.rule = held;
    const answer = refund(303);
    await verdict((await opened('303')).approval_id, 'deny', 'not without an invoice');
    expect(await (await answer).json()).toMatchObject({ code: 'APPROVAL_DENIED', detail: 'denied by a reviewer: not without an invoice' });
    expect(await (await refund(303)).json()).toMatchObject({ code: 'APPROVAL_DENIED' });
  });

  test('who leaves leaves the request open', async () => {
    gateway.rule = held;
    const abort = new AbortController();
    const answer = fetch(`${gateway.url}/refunds`, {
      method: 'POST',
      headers: { ...AUTH, 'content-type': 'application/json' },
      body: '{"amount":404}',
      signal: abort.signal,
    });
    const request = await opened('404');
    abort.abort();
    await expect(answer).rejects.toThrow();
    await expect.poll(() => gateway.enforcer.sessions().every(({ state }) => state !== 'held')).toBe(true);
    expect(book.list({ state: 'open' }).some(({ approval_id }) => approval_id === request.approval_id)).toBe(true);
  });

  test('an approval is not used up for a target that is not there', async () => {
    const gone = await startHttpGateway({
      upstream: 'http://127.0.0.1:1',
      routes: ROUTES,
      rule: held,
      approvals: () => Promise.resolve(book),
    });
    const answer = fetch(`${gone.url}/refunds`, { method: 'POST', headers: { ...AUTH, 'content-type': 'application/json' }, body: '{"amount":505}' });
    const request = await opened('505');
    await verdict(request.approval_id, 'approve');
    expect((await answer).status).toBe(502);
    expect(book.list({ state: 'approved' }).some(({ approval_id }) => approval_id === request.approval_id)).toBe(true);
    await gone[Symbol.asyncDispose]();
  });
});

describe('sessions', () => {
  test('terminate ends what runs, and the session', async () => {
    gateway.rule = held;
    const answer = refund(606);
    await opened('606');
    const session = gateway.enforcer.sessions().find(({ state }) => state === 'held');
    expect(gateway.enforcer.terminate(session?.session_id ?? '')).toBe(true);
    expect((await answer).status).toBe(503);
    expect(gateway.enforcer.sessions().some(({ session_id }) => session_id === session?.session_id)).toBe(false);
    expect(await types()).toContain('session.closed');
    expect(gateway.enforcer.terminate('ses_none')).toBe(false);
  });

  test('policy may refuse a session', async () => {
    gateway.opening = { effect: 'deny', code: 'NOT_HERE', reason: 'not from here' };
    gateway.tokens.set('token-of-mallory', principal('mallory'));
    const answer = await fetch(`${gateway.url}/orders/1`, { headers: { authorization: 'Bearer token-of-mallory' } });
    gateway.opening = ALLOW_HTTP;
    expect(answer.status).toBe(403);
    expect(await answer.json()).toMatchObject({ code: 'NOT_HERE' });
    expect((await gateway.events()).findLast(({ type }) => type === 'session.refused')).toMatchObject({ code: 'NOT_HERE' });
  });

  test('drain refuses what is new and lets what runs finish', async () => {
    const other = await startHttpGateway({ upstream: target, routes: ROUTES });
    const wait = Promise.withResolvers<void>();
    target.reply = (_, socket) => void wait.promise.then(() => socket.write(OK));
    const before = sent();
    const answer = fetch(`${other.url}/orders/1`, { headers: AUTH });
    await expect.poll(sent).toBe(before + 1);
    const drained = other.enforcer.drain();
    wait.resolve();
    expect((await answer).status).toBe(200);
    await drained;
    expect(other.enforcer.sessions()).toEqual([]);
    expect(other.released).toEqual(['lea_test']);
    await other[Symbol.asyncDispose]();
  });
});

describe('I6: fail closed', () => {
  test('a journal that died answers 503, and nothing leaves', async () => {
    const other = await startHttpGateway({ upstream: target, routes: ROUTES });
    await (await fetch(`${other.url}/orders/1`, { headers: AUTH })).text();
    other.journal.fail(new Error('EIO'));
    const before = sent();
    const answer = await fetch(`${other.url}/orders/2`, { headers: AUTH });
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ code: 'JOURNAL_UNAVAILABLE' });
    expect(sent()).toBe(before);
    await other[Symbol.asyncDispose]();
  });
});
