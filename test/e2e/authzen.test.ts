/**
 * Outside enforcement points over AuthZEN, under the shipped policies: statements are judged by their facts, what needs approval is requested, held and
 * used once (A1, A2, A4, A5, A6), and all of it stands in a record that verifies.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { alice, bob, type Shop, startShop } from '#test/support/approval-shop';
import type { TokenOptions } from '#test/support/gateway';

const POINT: TokenOptions = { login: 'ledger-proxy', type: 'service' };
const OTHER: TokenOptions = { login: 'other-proxy', type: 'service' };

let shop: Shop;
beforeAll(async () => {
  shop = await startShop({
    policies: (dir) => {
      writeFileSync(
        join(dir, 'catalog.yaml'),
        'catalog: { columns: { public.payments.note: { tags: [pii], mask: { using: partial, keep: 4 } } } }\n',
      );
      return { dir: join(import.meta.dirname, '..', '..', 'policies'), data: [join(dir, 'data.yaml'), join(dir, 'catalog.yaml')] };
    },
  });
});
afterAll(() => shop?.[Symbol.asyncDispose]());

interface Decided {
  readonly decision: boolean;
  readonly context: {
    readonly evaluation_id: string;
    readonly reason: string;
    readonly reasons: readonly { readonly code: string }[];
    readonly obligations?: readonly { readonly type: string; readonly properties: object }[];
    readonly access_request?: { readonly endpoint: string; readonly expires_at: string; readonly template: string };
    readonly approval?: { readonly id: string; readonly approved_until: string; readonly receipt: string };
    readonly next_action?: string;
  };
}
interface Task {
  readonly task: {
    readonly id: string;
    readonly status: string;
    readonly status_endpoint: string;
    readonly display: { readonly description: string };
  };
  readonly result?: { readonly mode: string; readonly approval: { readonly id: string; readonly approved_until: string } };
}

function question(
  text: string,
  more: { readonly context?: object; readonly statement?: object; readonly login?: string } = {},
): Record<string, unknown> {
  const login = more.login ?? 'dora';
  return {
    subject: { type: 'user', id: `https://login.example.com|${login}`, properties: { login, groups: ['support'] } },
    action: { name: 'sql.execute' },
    resource: { type: 'postgresql', id: 'shop' },
    context: { statement: { dialect: 'postgresql', text, ...more.statement }, ...more.context },
  };
}

async function evaluate(asked: object, who = POINT): Promise<Decided> {
  const { status, body } = await shop.call(who, '/access/v1/evaluation', asked);
  expect(status).toBe(200);
  return body as Decided;
}

async function submitted(asked: Record<string, unknown>, denied: Decided, who = POINT): Promise<{ readonly status: number; readonly body: unknown }> {
  const denial = {
    evaluation_id: denied.context.evaluation_id,
    expires_at: denied.context.access_request?.expires_at,
    reason: denied.context.reason,
  };
  return await shop.call(who, '/access/v1/requests', { ...asked, denial });
}

async function requested(asked: Record<string, unknown>): Promise<string> {
  const { status, body } = await submitted(asked, await evaluate(asked));
  expect(status).toBe(202);
  return (body as Task).task.id;
}

const withApproval = (asked: Record<string, unknown>, approval: object): Record<string, unknown> => ({
  ...asked,
  context: { ...(asked['context'] as object), approval },
});
const status = async (id: string, who = POINT): Promise<{ readonly status: number; readonly body: unknown }> =>
  await shop.call(who, `/access/v1/requests/${id}`);

describe('a question with a statement', () => {
  test('is judged by its facts: a read may, a delete without a condition may not, and the answer says why', async () => {
    expect(await evaluate(question('SELECT n FROM payments WHERE id = 1'))).toMatchObject({
      decision: true,
      context: { reasons: expect.arrayContaining([expect.objectContaining({ effect: 'allow' })]) as unknown[] },
    });
    const denied = await evaluate(question('DELETE FROM payments'));
    expect(denied.decision).toBe(false);
    expect(denied.context.access_request).toBeUndefined();
    expect(denied.context.reason).toBe(denied.context.reasons[0]?.code);
    expect(await evaluate(question('SELEKT 1'))).toMatchObject({ decision: false, context: { reason: 'UNPARSED' } });
  });

  test('what it obliges to is told; what the enforcement point cannot do is denied', async () => {
    const text = 'SELECT note FROM payments WHERE id = 1';
    const answer = await evaluate(question(text));
    expect(answer).toMatchObject({ decision: true });
    expect(answer.context.obligations).toMatchObject([
      { type: 'mask', properties: { columns: { 'public.payments.note': { using: 'partial', keep: 4 } } } },
    ]);
    expect((await evaluate(question(text, { context: { supported_obligations: ['mask'] } }))).decision).toBe(true);
    expect(await evaluate(question(text, { context: { supported_obligations: [] } }))).toMatchObject({
      decision: false,
      context: { reason: 'OBLIGATION_UNSUPPORTED' },
    });
  });

  test('what the configuration says of a target counts, whatever the question says', async () => {
    const asked = question('UPDATE payments SET n = 0 WHERE id = 1');
    const resource = { type: 'postgresql', id: 'shop', properties: { env: 'development', labels: {} } };
    expect(await evaluate({ ...asked, resource })).toMatchObject({ decision: false, context: { reason: 'approval_required' } });
    const unknown = await shop.call(POINT, '/access/v1/evaluation', { ...asked, resource: { type: 'postgresql', id: 'elsewhere' } });
    expect(unknown.status).toBe(400);
  });

  const FORGED: readonly (readonly [string, (asked: Record<string, unknown>) => object])[] = [
    ['facts', (asked) => ({ ...asked, sql: { parsed: true, effects: [] } })],
    ['facts in the context', (asked) => ({ ...asked, context: { ...(asked['context'] as object), facts: {} } })],
    ['facts beside the text', () => question('DELETE FROM payments', { statement: { facts: { effects: [] } } })],
    ['a digest', (asked) => ({ ...asked, payload: { digest: `sha256:${'0'.repeat(64)}`, bytes: 1 } })],
    ['a digest in the context', (asked) => ({ ...asked, context: { ...(asked['context'] as object), payload: {} } })],
    ['an approval', (asked) => withApproval(asked, { valid: true, id: 'apr_1', approved_by: ['bob'], requirement: `sha256:${'0'.repeat(64)}` })],
    ['an approval by its name, with who gave it', (asked) => withApproval(asked, { id: 'apr_1', approved_by: ['bob'] })],
  ];
  test.each(FORGED)('what only the engine may say is an error 400: %s', async (_what, change) => {
    const asked = change(question('DELETE FROM payments WHERE id = 1'));
    expect(await shop.call(POINT, '/access/v1/evaluation', asked)).toMatchObject({ status: 400 });
    // in a list it spoils all
    expect(await shop.call(POINT, '/access/v1/evaluations', { evaluations: [question('SELECT 1'), asked] })).toMatchObject({ status: 400 });
  });
});

test('another dialect is an error 400, not a guess', async () => {
  const asked = question('DELETE FROM payments', { statement: { dialect: 'mysql' } });
  expect(await shop.call(POINT, '/access/v1/evaluation', asked)).toMatchObject({ status: 400 });
});

describe('who may ask', () => {
  test('a human asks for themselves alone, with the groups of their token, whatever they say', async () => {
    const asked = question('UPDATE payments SET n = 0 WHERE id = 1', { login: 'alice' });
    expect(await shop.call(alice, '/access/v1/evaluation', asked)).toMatchObject({ status: 403 });
    const self = { ...asked, subject: { type: 'user', id: 'alice', properties: { login: 'root', groups: ['owners'] } } };
    expect(await shop.call({ ...alice, groups: [] }, '/access/v1/evaluation', self)).toMatchObject({
      status: 200,
      body: { decision: false, context: { reason: 'NOT_A_MEMBER' } },
    });
    expect(await shop.call(alice, '/access/v1/evaluation', self)).toMatchObject({ status: 200, body: { context: { reason: 'approval_required' } } });
  });

  test('a token for verdicts asks nothing', async () => {
    expect(await shop.call(bob, '/access/v1/evaluation', question('SELECT 1'))).toMatchObject({ status: 403 });
  });
});

describe('a denial that can be requested', () => {
  const text = 'UPDATE payments SET n = n + 1 WHERE id = 40';
  const asked = question(text);

  test('is a task until a reviewer decides, then the same question is permitted once, with a receipt that stands in the record', async () => {
    const denied = await evaluate(asked);
    expect(denied).toMatchObject({
      decision: false,
      context: { reason: 'approval_required', access_request: { endpoint: expect.stringContaining('/access/v1/requests') as string } },
    });
    const answer = await submitted({ ...asked, context: { ...(asked['context'] as object), business_justification: 'ticket 7' } }, denied);
    expect(answer).toMatchObject({ status: 202, body: { task: { status: 'pending' } } });
    const { id } = (answer.body as Task).task;
    expect(await status(id)).toMatchObject({ status: 200, body: { task: { id, status: 'pending', progress: { current_step: 1 } } } });
    // the reviewer sees the statement and for whom it is
    expect(await shop.show(id)).toMatchObject({ payload_text: text, subject: { properties: { login: 'dora' } }, target: 'shop' });
    expect(await evaluate(withApproval(asked, { id }))).toMatchObject({
      decision: false,
      context: { reason: 'approval_pending', next_action: 'retry', retry_after: 5 },
    });
    await shop.verdict(id, 'approve');
    const { result } = (await status(id)).body as Task;
    expect(result).toMatchObject({ mode: 'reevaluate', approval: { id } });
    // without its name the approval does nothing
    expect((await evaluate(asked)).decision).toBe(false);
    const permitted = await evaluate(withApproval(asked, result?.approval ?? {}));
    expect(permitted).toMatchObject({ decision: true, context: { approval: { id, receipt: expect.any(String) as string } } });
    expect(await evaluate(withApproval(asked, { id }))).toMatchObject({
      decision: false,
      context: { reason: 'approval_expired', next_action: 'request', access_request: {} },
    });
    const events = await shop.events();
    const { receipt } = permitted.context.approval ?? {};
    expect(events.filter((event) => 'approval_id' in event && event.approval_id === id && event.type === 'approval.consumed')).toMatchObject([
      { receipt, enforcer: 'ledger-proxy' },
    ]);
    const mine = events
      .filter((event) => event.statement_id === permitted.context.evaluation_id && event.type.startsWith('statement.'))
      .map(({ type }) => type);
    expect(mine).toEqual([
      'statement.received',
      'statement.decided',
      'statement.held',
      'statement.decided',
      'statement.cleared',
      'statement.finished',
    ]);
    expect(await shop.n(40)).toBe(0); // it is theirs to run
  });

  test('A5, A6: of ten at once with one approval, one is permitted', async () => {
    const one = question('UPDATE payments SET n = n + 1 WHERE id = 41');
    const id = await requested(one);
    await shop.verdict(id, 'approve');
    const answers = await Promise.all(Array.from({ length: 10 }, () => evaluate(withApproval(one, { id }))));
    expect(answers.filter(({ decision }) => decision)).toHaveLength(1);
  });

  test('A2: an approval is for this question: another text, other parameters, another subject, another enforcement point are not permitted', async () => {
    const one = question('UPDATE payments SET n = $1 WHERE id = 42', { statement: { params: ['1'] } });
    const id = await requested(one);
    await shop.verdict(id, 'approve');
    const approval = { id };
    const others: readonly (readonly [Record<string, unknown>, TokenOptions, string])[] = [
      [question('UPDATE payments SET n = $1 WHERE id = 43', { statement: { params: ['1'] } }), POINT, 'out_of_scope'],
      [question('UPDATE payments SET n = $1 WHERE id = 42', { statement: { params: ['2'] } }), POINT, 'out_of_scope'],
      [
        question('UPDATE payments SET n = $1 WHERE id = 42', {
          statement: { params: ['1'] },
          context: { settings: { search_path: 'evil, public' } },
        }),
        POINT,
        'out_of_scope',
      ],
      [question('UPDATE payments SET n = $1 WHERE id = 42', { statement: { params: ['1'] }, login: 'eve' }), POINT, 'approval_unverifiable'],
      [one, OTHER, 'approval_unverifiable'],
    ];
    for (const [other, who, reason] of others)
      expect(await evaluate(withApproval(other, approval), who)).toMatchObject({ decision: false, context: { reason } });
    expect(await evaluate(withApproval(one, { id: 'apr_01ARZ3NDEKTSV4RRFFQ69G5FAV' }))).toMatchObject({
      decision: false,
      context: { reason: 'approval_unverifiable', next_action: 'none' },
    });
    // none of them used it up
    expect((await evaluate(withApproval(one, approval))).decision).toBe(true);
  });

  test('N6: a task is known to the enforcement point that asked, and to no other', async () => {
    const id = await requested(question('UPDATE payments SET n = n + 1 WHERE id = 44'));
    expect(await status(id)).toMatchObject({ status: 200 });
    for (const who of [OTHER, alice]) {
      expect(await status(id, who)).toMatchObject({ status: 404, body: { type: 'urn:openid:authzen:access-request:error:unknown_task' } });
      expect(await shop.call(who, `/access/v1/requests/${id}/cancel`, {})).toMatchObject({ status: 404 });
    }
    expect(await shop.call(POINT, `/access/v1/requests/${id}/cancel`, {})).toMatchObject({ status: 200, body: { task: { status: 'cancelled' } } });
    expect(await shop.call(POINT, `/access/v1/requests/${id}/cancel`, {})).toMatchObject({
      status: 409,
      body: { type: 'urn:openid:authzen:access-request:error:invalid_task_state' },
    });
  });

  test('a denial by the reviewer is told with their words, and permits nothing', async () => {
    const one = question('UPDATE payments SET n = n + 1 WHERE id = 45');
    const id = await requested(one);
    await shop.verdict(id, 'deny', 'use the tool for refunds');
    expect(await status(id)).toMatchObject({ body: { task: { status: 'denied', display: { description: 'use the tool for refunds' } } } });
    expect(await evaluate(withApproval(one, { id }))).toMatchObject({ decision: false, context: { reason: 'approval_denied', next_action: 'none' } });
    // asked again, it is told at once
    const again = await submitted(one, await evaluate(one));
    expect(again).toMatchObject({ status: 201, body: { task: { id, status: 'denied' } } });
  });

  test('A4: who it is asked for does not approve it', async () => {
    const id = await requested(question('UPDATE payments SET n = n + 1 WHERE id = 46', { login: 'bob' }));
    expect(await shop.call(bob, `/v1/approvals/${id}/verdict`, { outcome: 'approve' })).toMatchObject({
      status: 403,
      body: { error: { code: 'VERDICT_SELF' } },
    });
  });

  test('only a denial that was given is requested, and nothing else in its name', async () => {
    const one = question('UPDATE payments SET n = n + 1 WHERE id = 47');
    const denied = await evaluate(one);
    const type = 'urn:openid:authzen:access-request:error:invalid_denial_binding';
    const other = question('UPDATE payments SET n = n + 1 WHERE id = 48');
    expect(await submitted(other, denied)).toMatchObject({ status: 400, body: { type } });
    expect(await submitted(one, denied, OTHER)).toMatchObject({ status: 400, body: { type } });
    expect(await shop.call(POINT, '/access/v1/requests', one)).toMatchObject({ status: 400, body: { type } });
    const plain = await evaluate(question('DELETE FROM payments'));
    expect(await submitted(question('DELETE FROM payments'), plain)).toMatchObject({ status: 400, body: { type } });
    expect(await shop.call(POINT, '/access/v1/requests', { ...one, items: [] })).toMatchObject({ status: 400 });
  });

  test('an approval outlives the gateway', async () => {
    const one = question('UPDATE payments SET n = n + 1 WHERE id = 49');
    const id = await requested(one);
    await shop.verdict(id, 'approve');
    await shop.restart('SIGKILL');
    expect((await evaluate(withApproval(one, { id }))).decision).toBe(true);
  });

  test('the record verifies', async () => {
    await shop.events();
    const { journal, public_key: key } = shop.gateway.ready;
    const { code, stdout } = await shop.gateway.interlock('audit', 'verify', '--dir', journal, '--key', key, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ verified: true, problems: [] });
    expect(code).toBe(0);
  });
});
