/** What SKILL.md says of tools is what becomes of a call of them, not only of their being listed (issue 6: claims are what policy answers). */
import { expect, test } from 'vitest';
import { type ClaimsFrom, claimsOf } from '#engine/agents/claims';
import { sampleArguments } from '#engine/agents/sample';
import type { AgentView } from '#schemas/agent';
import type { Decision } from '#schemas/decision';
import type { Subject } from '#schemas/decision-request';

const subject: Subject = { type: 'agent', id: 'https://interlock.example.com|refunds', properties: { login: 'refunds', groups: [] } };
const tools = ['hidden', 'search', 'refund', 'picky'].map((name) => ({ name, digest: '', state: 'pinned', arguments: [] }));

/** By action and tool; what is not here is denied. */
const EFFECTS: Readonly<Record<string, Decision['effect']>> = {
  'mcp.list search': 'allow',
  'mcp.list refund': 'allow',
  'mcp.list picky': 'allow',
  'mcp.call search': 'mask',
  'mcp.call refund': 'require_approval',
};

const judge: ClaimsFrom['judge'] = ({ action, statement }) => {
  const { name } = (JSON.parse(statement) as { params: { name: string } }).params;
  const effect = EFFECTS[`${action} ${name}`] ?? 'deny';
  const stages = [{ id: 'owner', order: 1, any_of: [{ group: 'owners' }], quorum: 1 }];
  return Promise.resolve({
    effect,
    reasons: [{ policy: 'p', code: action, reason: 'why', effect }],
    obligations:
      effect === 'mask' ? [{ id: 'm', type: 'mask', properties: { columns: {}, paths: { '$..ssn': { using: 'redact' } }, detectors: [] } }] : [],
    approval: effect === 'require_approval' ? { stages } : null,
  } as unknown as Decision);
};

test('a tool that may be seen is told as its call is answered; one whose bare call is denied is told as seen', async () => {
  const knowledge = { kind: 'mcp', tools } as unknown as ClaimsFrom['targets'][number]['knowledge'];
  const resource = { type: 'mcp', id: 'tools', properties: { env: 'test', labels: {} } } as const;
  const targets = [{ resource, knowledge, supportedObligations: ['mask'] }];
  const { claims } = await claimsOf({ agent: { name: 'refunds' } as AgentView, subject, targets, revision: 'sha256:0', judge });
  expect(claims.map(({ what, effect, masked, approvers }) => ({ what, effect, masked, approvers }))).toEqual([
    { what: 'use the tool hidden', effect: 'deny' },
    { what: 'use the tool search', effect: 'mask', masked: ['$..ssn'] },
    { what: 'use the tool refund', effect: 'require_approval', approvers: ['owners'] },
    { what: 'see the tool picky: which calls are allowed depends on their arguments', effect: 'allow' },
  ]);
});

test.each([
  [{}, {}],
  [{ properties: { q: { type: 'string', maxLength: 3 }, more: { type: 'string' } }, required: ['q'] }, { q: 'exa' }],
  [
    { properties: { cents: { type: 'integer', minimum: 5 }, of: { enum: ['CHF', 'EUR'] } }, required: ['cents', 'of'] },
    { cents: 5, of: 'CHF' },
  ],
  [
    {
      properties: { who: { type: 'string', format: 'email' }, lines: { type: 'array', minItems: 1, items: { type: 'number', maximum: 0 } } },
      required: ['who', 'lines'],
    },
    { who: 'somebody@example.com', lines: [0] },
  ],
  [
    { properties: { a: { anyOf: [{ type: ['boolean', 'null'] }, {}] }, b: { type: 'object', required: ['c'] } }, required: ['a', 'b'] },
    { a: false, b: { c: 'example' } },
  ],
  ['no schema', {}],
])('arguments for %j', (schema, given) => {
  expect(sampleArguments(schema)).toEqual(given);
});

test('arguments of a schema without end, or of great numbers, end', () => {
  const endless: Record<string, unknown> = { type: 'object', required: ['in'] };
  endless['properties'] = { in: endless };
  expect(JSON.stringify(sampleArguments(endless)).length).toBeLessThan(100);
  const wide = { type: 'array', minItems: 1e9, items: { type: 'string', minLength: 1e9 } };
  expect(JSON.stringify(sampleArguments({ required: ['a'], properties: { a: wide } })).length).toBeLessThan(20_000);
});
