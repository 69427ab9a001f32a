/** The console's session on a real gateway: the local login, its cookie and token, live, and its end (A4, A9, N6). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { InboxPage, LiveEvent, Me, RequestPage } from '#schemas/review';
import { alice, bob, refusalOf, type Shop, startShop } from '#test/support/approval-shop';
import { ConsoleBrowser } from '#test/support/console-browser';

let shop: Shop;
beforeAll(async () => {
  shop = await startShop({ approvals: { wait: '30ms' } });
});
afterAll(() => shop?.[Symbol.asyncDispose]());

const browser = (): ConsoleBrowser => new ConsoleBrowser(shop.gateway.ready.api);

describe('a reviewer at the console', () => {
  test('logs in with a token, sees what waits, looks at it, approves what was shown; looking and deciding are events', async () => {
    const text = 'UPDATE payments SET n = n + 1 WHERE id = 1';
    const console = browser();
    const me = (await console.login(await shop.token(bob))) as Me;
    expect(me).toMatchObject({ login: 'bob', decides: true, reads_all: true, login_by: 'local', login_start: '/login' });
    const live = await console.live();

    const client = await shop.client(alice);
    await refusalOf(client.query(text));
    const inbox = (await console.get('/v1/inbox?box=to_decide')).body as InboxPage;
    expect(inbox.items).toMatchObject([{ state: 'open', login: 'alice', target: 'shop', mine: true, approved: 0, needed: 1 }]);
    const [{ approval_id: id } = { approval_id: '' }] = inbox.items;
    const told = new Map<string, LiveEvent>();
    while (!told.has('approval') || !told.has('statement') || !told.has('session')) {
      const event = (await live.next('change')) as LiveEvent;
      told.set(event.kind, event);
    }
    expect(told.get('approval')).toEqual({ kind: 'approval', id, state: 'open' });
    const session = told.get('session')?.id ?? '';
    // that it was held came first: its page is asked for until it has the refusal, too
    await expect
      .poll(async () => (await console.get(`/v1/sessions/${session}/page`)).body)
      .toMatchObject({
        session: { session_id: session, login: 'alice', target: 'shop', state: 'open' },
        statements: { items: [expect.objectContaining({ session_id: session, refused: 'APPROVAL_PENDING', approval_id: id })] },
      });
    expect((await console.get('/v1/search?object=payments&verb=update')).body).toMatchObject({ items: [{ session_id: session }] });

    const page = (await console.get(`/v1/approvals/${id}/page`)).body as RequestPage;
    expect(page).toMatchObject({ approval: { approval_id: id }, text: { complete: true, statements: [{ number: 1, kind: 'UPDATE' }] } });
    expect(page.can).toContainEqual(expect.objectContaining({ act: 'approve', allowed: true }));

    const unseen = await console.post(`/v1/approvals/${id}/verdict`, { outcome: 'approve' });
    expect(unseen).toMatchObject({ status: 400, body: { error: { code: 'USAGE' } } });
    const other = await console.post(`/v1/approvals/${id}/verdict`, { outcome: 'approve', seen: `sha256:${'0'.repeat(64)}` });
    expect(other).toMatchObject({ status: 409, body: { error: { code: 'VERDICT_UNSEEN' } } });
    const approved = await console.post(`/v1/approvals/${id}/verdict`, { outcome: 'approve', seen: page.text.digest });
    expect(approved).toMatchObject({ status: 200, body: { state: 'approved' } });

    await console.get(`/v1/approvals/${id}/page`);
    expect((await client.query(text)).rowCount).toBe(1);
    await client.end();
    const record = await shop.events();
    const events = record.filter((event) => 'approval_id' in event && event.approval_id === id && /viewed|verdict/.test(event.type));
    expect(events.map(({ type }) => type)).toEqual(['approval.viewed', 'approval.verdict', 'approval.viewed']);
    const viewed = record.filter(({ type }) => type === 'recording.viewed');
    const ofTheSession = viewed.filter((event) => 'session_id' in event && event.session_id === session);
    expect(ofTheSession.length).toBeGreaterThanOrEqual(1);
    // the search, and this reading of the record
    expect(viewed.slice(ofTheSession.length)).toMatchObject([{ by: 'bob' }, { by: 'bob' }]);
    expect(viewed.every((event) => 'by' in event && event.by === 'bob')).toBe(true);
    live.close();
  });

  test('logs in with a one-time link that the command prints', async () => {
    const { code, stdout } = await shop.gateway.interlock('console', 'login', '--login', 'bob', '--group', 'owners', '--json');
    expect(code).toBe(0);
    const { url } = JSON.parse(stdout) as { url: string };
    expect(url).toMatch(new RegExp(`^${shop.gateway.ready.api}/login#code=[A-Za-z0-9_-]{43}$`));
    const word = url.slice(url.indexOf('=') + 1);
    const console = browser();
    expect(await console.post('/login/link', { code: word })).toMatchObject({ status: 200, body: { login: 'bob', decides: true } });
    expect((await console.get('/v1/me')).body).toMatchObject({ login: 'bob' });
    expect(await browser().post('/login/link', { code: word })).toMatchObject({ status: 401, body: { error: { code: 'LOGIN_FAILED' } } });
  });

  test('an agent’s token opens no console; the requester’s own may look at theirs alone', async () => {
    const bot = await browser().post('/login/token', { token: await shop.token({ login: 'bot', type: 'agent', for: 'alice' }) });
    expect(bot).toMatchObject({ status: 403, body: { error: { code: 'AUTH_SCOPE' } } });
    const console = browser();
    expect(await console.login(await shop.token(alice))).toMatchObject({ login: 'alice', decides: false, reads_all: false });
    expect((await console.get('/v1/inbox?box=to_decide')).body).toMatchObject({ items: [], total: 0 });
    const asked = (await console.get('/v1/inbox?box=asked')).body as InboxPage;
    expect(asked.items).toHaveLength(1);
    const [{ approval_id: id } = { approval_id: '' }] = asked.items;
    expect((await console.post(`/v1/approvals/${id}/withdraw`, {})).body).toMatchObject({ error: { code: 'AUTH_SCOPE' } });
  });

  test('logout ends the session and its live stream', async () => {
    const console = browser();
    await console.login(await shop.token(bob));
    const live = await console.live();
    expect(await console.post('/v1/logout', {})).toMatchObject({ status: 200 });
    await live.ended;
    expect((await console.get('/v1/me')).status).toBe(401);
  });
});
