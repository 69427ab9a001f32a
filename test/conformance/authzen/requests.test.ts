/**
 * The Access Request and Approval profile of AuthZEN for questions that carry no statement, against a real gateway over TLS.
 * https://openid.github.io/authzen/authzen-access-request-approval-profile-1_0.html
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApprovalView } from '#schemas/approval';
import type { Event } from '#schemas/event';
import { type DecisionPoint, type Replied, startDecisionPoint } from '#test/support/authzen';
import type { TokenOptions } from '#test/support/gateway';

const TREASURER: TokenOptions = { login: 'tess', groups: ['treasury'], scope: 'approve' };

let point: DecisionPoint;
beforeAll(async () => {
  point = await startDecisionPoint({ api: { evaluators: ['enforcement'], readers: ['treasury'] } });
});
afterAll(() => point?.[Symbol.asyncDispose]());

function payout(
  id: string,
  amount: number,
  more: { readonly receiver?: string; readonly context?: object; readonly by?: string } = {},
): Record<string, unknown> {
  return {
    subject: { type: 'agent', id: more.by ?? 'agent-7', properties: { login: more.by ?? 'agent-7', on_behalf_of: { id: 'ana', login: 'ana' } } },
    action: { name: 'pay' },
    resource: { type: 'payout', id, properties: { amount, ...(more.receiver === undefined ? {} : { receiver: more.receiver }) } },
    ...(more.context === undefined ? {} : { context: more.context }),
  };
}

interface Decided {
  readonly decision: boolean;
  readonly context: Record<string, unknown> & {
    readonly evaluation_id: string;
    readonly access_request?: { readonly endpoint: string; readonly expires_at: string };
  };
}

async function evaluate(asked: object): Promise<Decided> {
  const replied = await point.ask('/access/v1/evaluation', { body: asked });
  expect(replied.status).toBe(200);
  return replied.body as Decided;
}

function submission(asked: Record<string, unknown>, { context }: Decided): Record<string, unknown> {
  const { evaluation_id, evaluated_at, reason, access_request } = context;
  return { ...asked, denial: { evaluation_id, evaluated_at, reason, expires_at: access_request?.expires_at } };
}

async function submit(body: object, headers: Record<string, string> = {}): Promise<Replied> {
  return await point.ask('/access/v1/requests', { body, headers });
}

async function verdict(id: string, outcome: 'approve' | 'deny'): Promise<void> {
  const token = await point.token(TREASURER);
  const replied = await point.ask(`/v1/approvals/${id}/verdict`, { body: { outcome, comment: 'as agreed' }, token });
  expect(replied.status).toBe(200);
}

async function requested(asked: Record<string, unknown>): Promise<string> {
  const replied = await submit(submission(asked, await evaluate(asked)));
  expect(replied.status).toBe(202);
  return (replied.body as { task: { id: string } }).task.id;
}

const withApproval = (asked: Record<string, unknown>, approval: object): Record<string, unknown> => ({
  ...asked,
  context: { ...(asked['context'] as object | undefined), approval },
});

describe('a question without a statement', () => {
  test('is judged by packages of scope access, with what it obliges to', async () => {
    expect(await evaluate(payout('p-1', 50))).toMatchObject({
      decision: true,
      context: { obligations: [{ type: 'notification', properties: { to: 'treasury' } }] },
    });
    expect(await evaluate(payout('p-1', 50, { receiver: 'mallory' }))).toMatchObject({ decision: false, context: { reason: 'BLOCKED' } });
    expect(await evaluate({ ...payout('p-1', 50), action: { name: 'refund' } })).toMatchObject({
      decision: false,
      context: { reason: 'DEFAULT_DENY' },
    });
  });

  test('an enforcement point that says what it can do is obliged to nothing else', async () => {
    const asked = payout('p-1', 50, { context: { supported_obligations: ['step_up'] } });
    expect(await evaluate(asked)).toMatchObject({ decision: false, context: { reason: 'OBLIGATION_UNSUPPORTED' } });
    expect((await evaluate(payout('p-1', 50, { context: { supported_obligations: ['notification'] } }))).decision).toBe(true);
  });

  test('a service of another group asks for nobody but itself', async () => {
    const token = await point.token({ login: 'stray', type: 'service' });
    expect(await point.ask('/access/v1/evaluation', { body: payout('p-1', 50), token })).toMatchObject({ status: 403 });
    expect(await point.ask('/access/v1/evaluation', { body: payout('p-1', 50, { by: 'stray' }), token })).toMatchObject({ status: 200 });
  });

  test('stands in the record, before it is answered', async () => {
    const { context } = await evaluate(payout('p-77', 50));
    const token = await point.token(TREASURER);
    const { text } = await point.ask('/v1/events?type=access.evaluated', { token });
    const events = text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Event);
    expect(events.find((event) => event.type === 'access.evaluated' && event.evaluation_id === context.evaluation_id)).toMatchObject({
      enforcer: 'records-api',
      action: 'pay',
      resource: 'payout/p-77',
      decision: true,
      effect: 'allow',
    });
  });

  test('nothing deep, long or twice gets in', async () => {
    const nested = `${'{"a":'.repeat(40)}1${'}'.repeat(40)}`;
    const whole = JSON.stringify(payout('p-1', 50));
    for (const body of [
      whole.replace('{"amount":50}', nested),
      whole.replace('50', '9007199254740993'),
      whole.replace('50', '1e999'),
      whole.replace('"p-1"', `"${'p'.repeat(300)}"`),
      whole.replace('{"subject"', '{"subject":{},"subject"'),
      JSON.stringify(payout('p-1', 50, { context: { note: 'x'.repeat(70_000) } })),
    ])
      expect(await point.ask('/access/v1/evaluation', { body })).toMatchObject({ status: 400 });
  });
});

describe('a request for it', () => {
  test('is decided by a human, who sees what is asked; then it is permitted once', async () => {
    const asked = payout('p-2', 5_000, { context: { time: '2026-11-23T10:00:00Z', ticket: 'T-1' } });
    const denied = await evaluate(asked);
    expect(denied).toMatchObject({
      decision: false,
      context: { reason: 'approval_required', access_request: { endpoint: `${point.url}/access/v1/requests`, template: 'PAYOUT' } },
    });
    const replied = await submit(
      submission({ ...asked, context: { ...(asked['context'] as object), business_justification: 'quarter end' } }, denied),
    );
    expect(replied).toMatchObject({
      status: 202,
      body: { task: { status: 'pending', links: { cancel: expect.stringMatching(/\/cancel$/) as string } } },
    });
    const { id, status_endpoint: endpoint } = (replied.body as { task: { id: string; status_endpoint: string } }).task;
    expect(replied.headers['location']).toBe(endpoint);
    const { body } = await point.ask(`/v1/approvals/${id}`, { token: await point.token(TREASURER) });
    const view = body as ApprovalView;
    expect(view).toMatchObject({
      summary: 'pay on payout p-2, as records-api asks',
      target: 'payout/p-2',
      subject: { type: 'agent', properties: { login: 'agent-7', on_behalf_of: { login: 'ana' } } },
    });
    expect(view.payload_text).toContain('resource {"amount":5000}');
    await verdict(id, 'approve');
    const { result } = (await point.ask(new URL(endpoint).pathname)).body as {
      result: { mode: string; approval: { id: string; approved_until: string } };
    };
    expect(result.mode).toBe('reevaluate');
    const again = { ...asked, context: { time: '2026-11-23T11:11:11Z', ticket: 'T-1' } };
    expect(await evaluate(withApproval(payout('p-2', 9_000, { context: { ticket: 'T-1' } }), result.approval))).toMatchObject({
      decision: false,
      context: { reason: 'out_of_scope', next_action: 'request' },
    });
    expect(await evaluate(withApproval(payout('p-2', 5_000, { context: { ticket: 'T-2' } }), result.approval))).toMatchObject({
      decision: false,
      context: { reason: 'out_of_scope' },
    });
    expect(await evaluate(withApproval(again, result.approval))).toMatchObject({
      decision: true,
      context: { approval: { id, approved_until: result.approval.approved_until } },
    });
    expect(await evaluate(withApproval(again, result.approval))).toMatchObject({
      decision: false,
      context: { reason: 'approval_expired', next_action: 'request' },
    });
  });

  test('an approval does not beat a denial', async () => {
    const asked = payout('p-3', 5_000);
    const id = await requested(asked);
    await verdict(id, 'approve');
    expect(await evaluate(withApproval(payout('p-3', 5_000, { receiver: 'mallory' }), { id }))).toMatchObject({
      decision: false,
      context: { reason: 'policy_denied', next_action: 'none' },
    });
    expect((await evaluate(withApproval(asked, { id }))).decision).toBe(true);
  });

  test('the same Idempotency-Key gets the same task, another body under it is refused', async () => {
    const asked = payout('p-4', 5_000);
    const body = submission(asked, await evaluate(asked));
    const headers = { 'idempotency-key': '7b8d0f0d-65a1-4af1-9fd3-a684f08a5d13' };
    const first = await submit(body, headers);
    expect((await submit(body, headers)).body).toEqual(first.body);
    const other = payout('p-5', 5_000);
    expect(await submit(submission(other, await evaluate(other)), headers)).toMatchObject({
      status: 409,
      headers: { 'content-type': 'application/problem+json' },
      body: { type: 'urn:openid:authzen:access-request:error:duplicate_request' },
    });
  });

  test('the human behind the agent does not decide it, and nobody does twice', async () => {
    const id = await requested(payout('p-6', 5_000));
    const token = await point.token({ login: 'ana', groups: ['treasury'], scope: 'approve' });
    expect(await point.ask(`/v1/approvals/${id}/verdict`, { body: { outcome: 'approve' }, token })).toMatchObject({
      status: 403,
      body: { error: { code: 'VERDICT_SELF' } },
    });
    await verdict(id, 'deny');
    expect(await evaluate(withApproval(payout('p-6', 5_000), { id }))).toMatchObject({ decision: false, context: { reason: 'approval_denied' } });
  });

  test('the record verifies', async () => {
    const { journal, public_key: key } = point.gateway.ready;
    const { stdout } = await point.gateway.interlock('audit', 'verify', '--dir', journal, '--key', key, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ verified: true, problems: [] });
  });
});
