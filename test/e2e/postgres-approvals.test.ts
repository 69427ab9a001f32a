/** Holding at the PostgreSQL enforcer (DESIGN §1), with the real approvals and a real server. */
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import pg from 'pg';
import type { ApprovalBook } from '#engine/approvals/approvals';
import { CODE, int32, message } from '#enforcers/postgres/protocol';
import type { ApprovalView } from '#schemas/approval';
import { requirement } from '#test/support/approvals';
import { ALLOW, type Rule } from '#test/support/fake-decisions';
import { startPostgres, type PostgresServer } from '#test/support/postgres';
import { startTestGateway, TOKEN, type TestGateway } from '#test/support/postgres-gateway';
import { openBook, openedIn, ritaSays } from '#test/support/reviewed-book';
import { errorOf, RawClient, say, startup, types } from '#test/support/raw-postgres';

let server: PostgresServer;
let gateway: TestGateway;
let book: ApprovalBook;

let asks = requirement();
/** UPDATE needs approval; with one that fits it is allowed. */
const rule: Rule = ({ facts, text, moment }) => {
  if (!facts.statements.some((one) => one.kind === 'update')) return ALLOW;
  if (moment.approval && text.includes('HOPELESS')) return { effect: 'deny', code: 'NEVER', reason: 'not even with an approval' };
  return moment.approval?.requirement === asks.digest ? ALLOW : { effect: 'require_approval', requirement: asks };
};

async function start(waitMs: number, inTransaction: 'fresh' | 'any' = 'fresh'): Promise<void> {
  gateway = await startTestGateway(server, {
    rule,
    target: { approvals: { waitMs, inTransaction } },
    approvals: async (journal) => (book = await openBook(journal)),
  });
}

beforeAll(async () => {
  server = await startPostgres({ major: 15 });
  await server.query('CREATE TABLE payments (id int primary key, n int); INSERT INTO payments SELECT i, 0 FROM generate_series(1, 100) i');
  await start(20_000);
});
afterAll(async () => {
  book?.close();
  await gateway?.[Symbol.asyncDispose]();
  await server?.stop();
});
beforeEach(() => server.query('UPDATE payments SET n = 0'));

async function connected(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: gateway.url });
  client.on('error', () => {});
  await client.connect();
  return client;
}
const n = async (id: number): Promise<number> => (await server.query<{ n: number }>(`SELECT n FROM payments WHERE id = ${id}`)).rows[0]?.n ?? -1;
const verdict = (id: string, outcome: 'approve' | 'deny', comment?: string): Promise<ApprovalView> => ritaSays(book, id, outcome, comment);
const opened = (text: string): Promise<ApprovalView> => openedIn(book, text);

test('simple protocol: held, said where, approved, executed once', async () => {
  const client = await connected();
  const notices: unknown[] = [];
  client.on('notice', (notice) => notices.push(notice));
  const running = client.query('UPDATE payments SET n = n + 1 WHERE id = 1');
  const request = await opened('id = 1');
  expect(request.summary).toMatch(/^sets n = n \+ 1 in (about \d+ rows?|the rows) of `payments` where id = 1$/);
  await expect.poll(() => gateway.enforcer.sessions()[0]).toMatchObject({ state: 'held', approval_id: request.approval_id });
  expect(await n(1)).toBe(0);
  await verdict(request.approval_id, 'approve');
  expect((await running).rowCount).toBe(1);
  expect(await n(1)).toBe(1);
  expect(notices).toMatchObject([
    {
      message: `held for approval ${request.approval_id}`,
      hint: expect.stringMatching(
        new RegExp(
          `^group owners may decide until \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d UTC: interlock approvals approve ${request.approval_id} --token-file FILE `,
        ),
      ),
    },
  ]);
  const again = client.query('UPDATE payments SET n = n + 1 WHERE id = 1');
  const second = await opened('id = 1');
  expect(second.approval_id).not.toBe(request.approval_id);
  await verdict(second.approval_id, 'deny', 'once was enough');
  await expect(again).rejects.toMatchObject({
    code: 'IL002',
    message: 'denied by a reviewer: once was enough',
    detail: expect.stringContaining(`approval=${second.approval_id}`),
  });
  await expect(client.query('UPDATE payments SET n = n + 1 WHERE id = 1')).rejects.toMatchObject({ code: 'IL002' });
  expect(await n(1)).toBe(1);
  await client.end();
});

test('A6: whoever begins to wait once another one used the approval is told the same as whoever comes too late to use it', async () => {
  const [one, two] = [await connected(), await connected()];
  const text = 'UPDATE payments SET n = n + 1 WHERE id = 90';
  const { promise: used, resolve: goOn } = Promise.withResolvers<void>();
  const settled = book.settled.bind(book);
  const waits = vi.spyOn(book, 'settled');
  const first = one.query(text);
  const { approval_id } = await opened('id = 90');
  await expect.poll(() => waits.mock.calls.length).toBe(1);
  waits.mockRestore();
  const late = vi.spyOn(book, 'settled').mockImplementationOnce((id, signal) => used.then(() => settled(id, signal)));
  const second = two.query(text);
  second.catch(() => {});
  await expect.poll(() => late.mock.calls.length).toBe(1);
  await verdict(approval_id, 'approve');
  expect((await first).rowCount).toBe(1);
  goOn();
  await expect(second).rejects.toMatchObject({
    code: 'IL003',
    message: `approval ${approval_id} no longer fits: it is used up (1 of 1 uses)`,
    detail: expect.stringContaining(`approval=${approval_id}`),
  });
  late.mockRestore();
  expect(await n(90)).toBe(1);
  await Promise.all([one.end(), two.end()]);
});

test('the receipt stands in statement.cleared, behind approval.consumed', async () => {
  const client = await connected();
  const running = client.query('UPDATE payments SET n = 5 WHERE id = 2');
  const request = await opened('id = 2');
  await verdict(request.approval_id, 'approve');
  await running;
  await client.end();
  const events = await gateway.events();
  const cleared = events.find((event) => event.type === 'statement.cleared' && event.approval?.approval_id === request.approval_id);
  const consumed = events.find((event) => event.type === 'approval.consumed' && event.approval_id === request.approval_id);
  expect(cleared?.type === 'statement.cleared' && cleared.approval?.receipt).toBe(consumed?.type === 'approval.consumed' && consumed.receipt);
  expect((consumed?.seq ?? 0) < (cleared?.seq ?? 0)).toBe(true);
  const statement = events
    .filter((event) => event.statement_id === cleared?.statement_id && event.type.startsWith('statement.'))
    .map((event) => event.type);
  expect(statement).toEqual([
    'statement.received',
    'statement.decided',
    'statement.held',
    'statement.decided',
    'statement.cleared',
    'statement.finished',
  ]);
});

test('extended protocol with parameters, behind BEGIN; the parameters are bound', async () => {
  const client = await connected();
  await client.query('BEGIN');
  const running = client.query('UPDATE payments SET n = $1 WHERE id = $2', [7, 3]);
  const request = await opened('id = $2');
  expect(request.params).toEqual(['7', '3']);
  await verdict(request.approval_id, 'approve');
  await running;
  await client.query('COMMIT');
  expect(await n(3)).toBe(7);
  await client.end();
});

test('A2: the same text and value as another type is another statement', async () => {
  await using client = await RawClient.login(gateway.port, TOKEN);
  const text = 'UPDATE payments SET n = length($1::text) WHERE id = 10';
  const ask = (type: number): void => client.send(say.parse('', text, [type]), say.bind('', '', ['1.50']), say.execute(''), say.sync);
  const [NUMERIC, FLOAT8] = [1700, 701];
  ask(NUMERIC);
  const first = await opened('id = 10');
  await verdict(first.approval_id, 'approve');
  await client.ready();
  expect(await n(10)).toBe(4);
  ask(NUMERIC);
  const second = await opened('id = 10');
  await using other = await RawClient.login(gateway.port, TOKEN);
  other.send(say.parse('', text, [FLOAT8]), say.bind('', '', ['1.50']), say.execute(''), say.sync);
  await expect.poll(() => book.list({ state: 'open' }).length).toBe(2);
  const third = book.list({ state: 'open' }).find((one) => one.approval_id !== second.approval_id) as ApprovalView;
  await verdict(second.approval_id, 'approve');
  await client.ready();
  expect(book.show(third.approval_id).state).toBe('open');
  await verdict(third.approval_id, 'deny');
  expect(errorOf(await other.ready())).toMatchObject({ C: 'IL002' });
});

test.each(['DateStyle', 'TimeZone', 'IntervalStyle'])(
  'A2: under another %s a literal is another value, and so the statement another',
  async (setting) => {
    const text = `UPDATE payments SET n = 11 WHERE id = 11 AND '01/02/2026'::date < '03/04/2026' /* ${setting} */`;
    const [one, two] = [await connected(), await connected()];
    await two.query(`SET ${setting} TO ${{ DateStyle: "'ISO, DMY'", TimeZone: "'Asia/Tokyo'", IntervalStyle: "'sql_standard'" }[setting]}`);
    const runs = [one.query(text).catch((error: unknown) => error), two.query(text).catch((error: unknown) => error)];
    await expect.poll(() => book.list({ state: 'open' }).filter((view) => view.payload_text === text).length).toBe(2);
    for (const view of book.list({ state: 'open' })) await verdict(view.approval_id, 'approve');
    await Promise.all(runs);
    await one.end();
    await two.end();
  },
);

test('A2: under another role it is another statement; without SET ROLE the role is that of the credential', async () => {
  await server.query('CREATE ROLE clerk; GRANT SELECT, UPDATE ON payments TO clerk');
  const text = 'UPDATE payments SET n = 12 WHERE id = 12';
  const [one, two] = [await connected(), await connected()];
  await two.query('SET ROLE clerk');
  const runs = [one.query(text), two.query(text)];
  await expect.poll(() => book.list({ state: 'open' }).filter((view) => view.payload_text === text).length).toBe(2);
  const views = book.list({ state: 'open' });
  expect(new Set(views.map((view) => view.binding.role))).toEqual(new Set(['postgres', 'clerk']));
  for (const view of views) await verdict(view.approval_id, 'approve');
  await Promise.all(runs);
  await one.end();
  await two.end();
});

test('in a transaction that did work: APPROVAL_IN_TRANSACTION, and the transaction is over', async () => {
  const client = await connected();
  await client.query('BEGIN');
  await client.query('SELECT 1');
  await expect(client.query('UPDATE payments SET n = 9 WHERE id = 4')).rejects.toMatchObject({
    code: '42501',
    detail: expect.stringContaining('code=APPROVAL_IN_TRANSACTION'),
  });
  await expect(client.query('SELECT 1')).rejects.toMatchObject({ code: '25P02' });
  await client.query('ROLLBACK');
  expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  await client.end();
});

test('a requirement that changes while it is held: the verdict counts for nothing, the request is superseded, and the new one is asked for', async () => {
  const client = await connected();
  const running = client.query('UPDATE payments SET n = n + 1 WHERE id = 13');
  const first = await opened('id = 13');
  asks = requirement({ valid_for_s: 60, digest: `sha256:${'2'.repeat(64)}` });
  await verdict(first.approval_id, 'approve');
  const second = await opened('id = 13');
  expect(second.approval_id).not.toBe(first.approval_id);
  expect(book.show(first.approval_id)).toMatchObject({
    state: 'superseded',
    uses: 0,
    detail: expect.stringMatching(/revision sha256:\S+.* sha256:\S+/),
  });
  expect(await n(13)).toBe(0);
  await verdict(second.approval_id, 'approve');
  await running;
  expect(await n(13)).toBe(1);
  await client.end();
});

test('what would be denied even if approved is denied at once', async () => {
  const client = await connected();
  await expect(client.query('UPDATE payments SET n = 9 WHERE id = 5 /* HOPELESS */')).rejects.toMatchObject({
    detail: expect.stringContaining('code=NEVER'),
  });
  expect(book.list({ state: 'open' }).length).toBe(0);
  await client.end();
});

test('Ctrl-C ends the wait with 57014 and cancels the request', async () => {
  await using client = await RawClient.connect(gateway.port);
  client.send(startup({ user: 'alice', database: 'postgres' }));
  await client.until('R');
  client.send(message(112, TOKEN));
  const key = (await client.ready()).find((answer) => answer.type === 'K')?.body ?? Buffer.alloc(8);
  client.send(say.query('UPDATE payments SET n = 9 WHERE id = 6'));
  const request = await opened('id = 6');
  await using other = await RawClient.connect(gateway.port);
  other.send(int32(16), int32(CODE.cancel), key);
  const answers = await client.ready();
  expect(types(answers)).toBe('NEZ');
  expect(errorOf(answers)).toMatchObject({ C: '57014' });
  expect(book.show(request.approval_id).state).toBe('cancelled');
});

test('a disconnect leaves the request open; the verdict counts for whoever asks again', async () => {
  const client = await connected();
  const lost = client.query('UPDATE payments SET n = 1 WHERE id = 7').catch(() => 'lost');
  const request = await opened('id = 7');
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  expect(await lost).toBe('lost');
  await expect.poll(() => gateway.enforcer.sessions().length).toBe(0);
  expect(book.show(request.approval_id).state).toBe('open');
  await verdict(request.approval_id, 'approve');
  const again = await connected();
  await again.query('UPDATE payments SET n = 1 WHERE id = 7');
  expect(await n(7)).toBe(1);
  await again.end();
});

test('A6: two connections race for one approval; exactly one executes and the other hears why', async () => {
  const [one, two] = [await connected(), await connected()];
  const text = 'UPDATE payments SET n = n + 1 WHERE id = 8';
  const runs = [one.query(text), two.query(text)].map((run) =>
    run.then(
      () => 'ran',
      (error: { code: string }) => error.code,
    ),
  );
  await expect.poll(() => gateway.enforcer.sessions().filter((session) => session.state === 'held').length).toBe(2);
  const request = await opened('id = 8');
  await verdict(request.approval_id, 'approve');
  expect((await Promise.all(runs)).toSorted((a, b) => (a < b ? -1 : 1))).toEqual(['IL003', 'ran']);
  expect(await n(8)).toBe(1);
  await one.end();
  await two.end();
});

test('after approvals.wait: IL001 with the request, which stays open', async () => {
  await gateway[Symbol.asyncDispose]();
  book.close();
  await start(50);
  const client = await connected();
  const failed = await client.query('UPDATE payments SET n = 1 WHERE id = 9').catch((error: pg.DatabaseError) => error);
  const [request] = book.list({ state: 'open' });
  expect(failed).toMatchObject({ code: 'IL001', detail: expect.stringContaining(`approval=${request?.approval_id}`) });
  await verdict(request?.approval_id ?? '', 'approve');
  await client.query('UPDATE payments SET n = 1 WHERE id = 9');
  expect(await n(9)).toBe(1);
  await client.end();
});

test('in_transaction: any — what the transaction did is bound and shown', async () => {
  await gateway[Symbol.asyncDispose]();
  book.close();
  await start(20_000, 'any');
  const client = await connected();
  const attempt = async (first: number): Promise<{ readonly request: ApprovalView; readonly run: Promise<unknown> }> => {
    await client.query('BEGIN');
    await client.query('INSERT INTO payments VALUES ($1, 0)', [first]);
    const run = client.query('UPDATE payments SET n = 2 WHERE id = 11');
    return { request: await opened('id = 11'), run };
  };
  const one = await attempt(1001);
  expect(one.request.binding.objects).toContainEqual(expect.stringMatching(/^1 before it: INSERT INTO payments VALUES \(\$1, 0\) .*"value":"1001"/));
  await verdict(one.request.approval_id, 'approve');
  await one.run;
  await client.query('ROLLBACK');
  const two = await attempt(1002);
  expect(two.request.approval_id).not.toBe(one.request.approval_id);
  await verdict(two.request.approval_id, 'approve');
  await two.run;
  await client.query('COMMIT');
  expect(await n(11)).toBe(2);
  await client.end();
});
