/** The published certification scenario of AuthZEN 1.0, levels Basic, Batch and Discovery, against a real gateway over TLS. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type DecisionPoint, startDecisionPoint } from '#test/support/authzen';

interface Single {
  readonly ref: string;
  readonly who: string;
  readonly does: string;
  readonly on: string;
  readonly subject?: object;
  readonly action?: object;
  readonly resource?: object;
  readonly context?: object;
  readonly more?: object;
  readonly expect: boolean;
}
interface Refused {
  readonly ref: string;
  readonly without?: string;
  readonly instead?: string;
  readonly is?: unknown;
  readonly as?: string;
  readonly body?: string;
}
interface Batch {
  readonly ref: string;
  readonly body: Record<string, unknown>;
  readonly expect: boolean | readonly (boolean | 'any')[];
}

const CASES = parse(readFileSync(join(import.meta.dirname, 'cases.yaml'), 'utf8')) as {
  readonly evaluation: readonly Single[];
  readonly refused: readonly Refused[];
  readonly evaluations: readonly Batch[];
};

let point: DecisionPoint;
beforeAll(async () => {
  point = await startDecisionPoint();
});
afterAll(() => point?.[Symbol.asyncDispose]());

function question({ who, does, on, subject, action, resource, context, more }: Omit<Single, 'expect' | 'ref'>): Record<string, unknown> {
  const properties = (given: object | undefined): object => (given === undefined ? {} : { properties: given });
  return {
    subject: { type: 'user', id: who, ...properties(subject) },
    action: { name: does, ...properties(action) },
    resource: { type: 'record', id: on, ...properties(resource) },
    ...(context === undefined ? {} : { context }),
    ...more,
  };
}

/** Short forms: `alice`, `read`, `record-1`. */
function whole(short: Record<string, unknown>): Record<string, unknown> {
  const entity = (name: string, value: unknown): unknown => {
    if (typeof value !== 'string') return value;
    return name === 'action' ? { name: value } : { type: name === 'subject' ? 'user' : 'record', id: value };
  };
  return Object.fromEntries(
    Object.entries(short).map(([name, value]) => [
      name,
      name === 'evaluations'
        ? (value as Record<string, unknown>[]).map(whole)
        : ['subject', 'action', 'resource'].includes(name)
          ? entity(name, value)
          : value,
    ]),
  );
}

describe('Basic', () => {
  test.each(CASES.evaluation)('$ref: $who does $does on $on: $expect', async ({ expect: decision, ...asked }) => {
    const { status, headers, body } = await point.ask('/access/v1/evaluation', { body: question(asked) });
    expect({ status, type: headers['content-type'] }).toEqual({ status: 200, type: 'application/json' });
    expect(body).toMatchObject({ decision, context: { reasons: expect.any(Array) as unknown[] } });
  });

  test.each(CASES.refused)(
    '$ref: 400 (without $without, instead of $instead $is, as $as, body $body)',
    async ({ without, instead, is, as, body }) => {
      const asked = structuredClone(question({ who: 'alice', does: 'read', on: 'record-1' }));
      const [first = '', second] = (without ?? instead ?? '').split('.');
      const at = (second === undefined ? asked : asked[first]) as Record<string, unknown>;
      if (without !== undefined) delete at[second ?? first];
      if (instead !== undefined) at[second ?? first] = is;
      const replied = await point.ask('/access/v1/evaluation', {
        body: body ?? asked,
        ...(as === undefined ? {} : { headers: { 'content-type': as } }),
      });
      expect(replied.status).toBe(400);
      expect(replied.body).toMatchObject({ error: { code: 'USAGE', message: expect.any(String) as string } });
    },
  );

  test('2.5: X-Request-ID is echoed, also where the answer is an error; its absence is none', async () => {
    const headers = { 'x-request-id': 'bfe9eb29-ab87-4ca3-be83-a1d5d8305716' };
    const body = question({ who: 'alice', does: 'read', on: 'record-1' });
    expect((await point.ask('/access/v1/evaluation', { body, headers })).headers['x-request-id']).toBe(headers['x-request-id']);
    expect((await point.ask('/access/v1/evaluation', { body: '{', headers })).headers['x-request-id']).toBe(headers['x-request-id']);
    expect((await point.ask('/access/v1/evaluation', { body })).status).toBe(200);
  });

  test('2.6: the same question has the same answer', async () => {
    const body = question({ who: 'alice', does: 'read', on: 'record-1' });
    const answers = await Promise.all(Array.from({ length: 5 }, () => point.ask('/access/v1/evaluation', { body })));
    expect(answers.map((answer) => (answer.body as { decision: boolean }).decision)).toEqual([true, true, true, true, true]);
  });

  test('transport: 401 without a token or with a wrong one, with the scheme that is expected', async () => {
    for (const token of [null, 'nonsense']) {
      const replied = await point.ask('/access/v1/evaluation', { body: question({ who: 'alice', does: 'read', on: 'record-1' }), token });
      expect(replied).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' } });
    }
  });
});

describe('Batch', () => {
  test.each(CASES.evaluations)('$ref: $expect', async ({ body, expect: expected }) => {
    const replied = await point.ask('/access/v1/evaluations', { body: whole(body) });
    expect(replied.status).toBe(200);
    if (typeof expected === 'boolean') return expect(replied.body).toMatchObject({ decision: expected });
    const { evaluations, ...rest } = replied.body as { evaluations: { decision: boolean }[] };
    expect(rest).toEqual({});
    expect(evaluations.map(({ decision }) => typeof decision)).toEqual(expected.map(() => 'boolean'));
    expect(evaluations.map(({ decision }, at) => (expected[at] === 'any' ? 'any' : decision))).toEqual(expected);
    return undefined;
  });

  test.each<[string, object]>([
    ['a semantic that there is not', { options: { evaluations_semantic: 'some' } }],
    ['options that are none', { options: 'execute_all' }],
    ['evaluations that are no list', { evaluations: {} }],
    ['a default that is no object', { subject: 'alice' }],
    ['more than 50', { evaluations: Array.from({ length: 51 }, () => ({})) }],
  ])('400: %s', async (_what, change) => {
    const body = { ...whole({ subject: 'alice', action: 'read', evaluations: [{ resource: 'record-1' }] }), ...change };
    expect((await point.ask('/access/v1/evaluations', { body })).status).toBe(400);
  });
});

describe('Discovery', () => {
  test('6: the metadata name this decision point and its endpoints, without a token', async () => {
    const { status, headers, body } = await point.ask('/.well-known/authzen-configuration', { token: null });
    expect({ status, type: headers['content-type'] }).toEqual({ status: 200, type: 'application/json' });
    const metadata = body as Record<string, unknown>;
    expect(metadata['policy_decision_point']).toBe(point.url);
    for (const name of ['access_evaluation_endpoint', 'access_evaluations_endpoint', 'access_request_endpoint'])
      expect(metadata[name]).toMatch(new RegExp(`^${point.url}/access/v1/`));
    expect(point.url).toMatch(/^https:/);
    expect(metadata['capabilities']).toEqual(['urn:openid:authzen:capability:access-request']);
    // what is not there is not named: searches
    expect(Object.keys(metadata).filter((name) => name.startsWith('search_'))).toEqual([]);
    expect((await point.ask('/access/v1/search/subject', { body: {} })).status).toBe(404);
  });
});
