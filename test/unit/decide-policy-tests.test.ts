/** `interlock policy test`, and the one dry run behind it. */
import { describe, expect, test } from 'vitest';
import { openReaders } from '#engine/cli/decide/readers';
import { dryRun } from '#engine/decide/dry-run';
import { testPolicies } from '#engine/decide/policy-tests';
import { HandFacts, moment, noMasks, opaProgram, openService, PACK5, policyFolder, scope } from '#test/support/decide';

const options = { data: [], opa: opaProgram, facts: new HandFacts(), masks: noMasks };
const MAIN = `package policies.a.main

allow contains {"code": "READ", "reason": "reads"} if {
	"app" in input.subject.properties.groups
	every e in input.sql.effects {
		e.verb == "read"
	}
}
`;
const TESTS = `package policies.a.main_test

import data.policies.a.main

test_allows if count(main.allow) == 1 with input as {"subject": {"properties": {"groups": ["app"]}}, "sql": {"effects": []}}

test_wrong if count(main.allow) == 2 with input as {}
`;
const CASES = `- { name: a read, subject: { login: alice, groups: [app] }, statement: READ orders, expect: { effect: allow, codes: [READ] } }
- { name: nobody, subject: { login: bob }, statement: READ orders, expect: { effect: deny, codes: [DEFAULT_DENY] } }
- { name: wrong, subject: { login: bob }, statement: READ orders, expect: { effect: allow } }
`;

describe('policy tests', () => {
  test('Rego tests by OPA, and statement cases on the compiled policies', async () => {
    await using folder = await policyFolder({ 'a/main.rego': MAIN, 'a/main_test.rego': TESTS, 'a/cases.yaml': CASES });
    const report = await testPolicies(folder.dir, options);
    expect(report).toMatchObject({ passed: 3, failed: 2 });
    expect(report.cases.filter((entry) => !entry.passed)).toEqual([
      { name: 'a/main_test.rego: test_wrong', passed: false, detail: expect.stringMatching(/line 7/) },
      { name: 'a/cases.yaml: wrong', passed: false, detail: expect.stringMatching(/expected allow; found deny: DEFAULT_DENY/) },
    ]);
  });

  test('a case that is no case, and policies that do not compile', async () => {
    await using folder = await policyFolder({ 'a/main.rego': MAIN, 'cases.yaml': '- { name: x }\n' });
    await expect(testPolicies(folder.dir, options)).rejects.toMatchObject({ code: 'POLICY_BUILD', message: expect.stringMatching(/case 1 needs/) });
    await folder.write('a/main.rego', 'package policies.a.main\n\nallow contains {');
    await expect(testPolicies(folder.dir, options)).rejects.toMatchObject({ code: 'POLICY_BUILD' });
  });
});

describe('the dry run', () => {
  test('judges masks by name where there is no catalog; a session, as in the gateway, refuses (MASKING §2)', async () => {
    const masking = 'mask contains {"code": "SECRET", "reason": "x", "columns": ["public.t.secret"], "using": "redact"}\n';
    const all = 'package policies.a.all\n\nallow contains {"code": "ALL", "reason": "all"}\n';
    await using folder = await policyFolder({ 'all.rego': `${all}\n${masking}` });
    await using readers = await openReaders();
    const service = await openService(folder.dir, { facts: readers.facts, masks: readers.masks });
    const { subject, resource } = scope();
    const { decision, byName } = await dryRun(service, { subject, resource, action: 'sql.execute', statement: 'SELECT secret FROM t' });
    expect({ effect: decision.effect, rewrite: decision.rewrite, byName }).toEqual({ effect: 'mask', rewrite: undefined, byName: true });
    const session = service.openSession(scope());
    for (const text of ['SELECT secret FROM t', 'SELECT 1']) {
      const judged = await session.decide(await session.read(Buffer.from(text), {}), moment());
      expect(judged).toMatchObject({ rewrite: null, decision: { effect: 'deny', reasons: [{ code: 'MASK_RELATION_UNKNOWN' }] } });
    }
    service.close();
  });

  test('answers the request that policy saw and the decision', async () => {
    const service = await openService(PACK5);
    const { subject, resource } = scope({ env: 'production' });
    const { request, decision } = await dryRun(service, {
      subject,
      resource,
      action: 'sql.execute',
      statement: 'UPDATE payments',
      transaction: 'open',
    });
    expect(request).toMatchObject({
      stage: 'request',
      action: { name: 'sql.execute' },
      context: { transaction: 'open' },
      sql: { dialect: 'postgresql' },
    });
    expect(request.payload.bytes).toBe('UPDATE payments'.length);
    expect(decision).toMatchObject({ effect: 'require_approval', binding: { payload: request.payload.digest } });
    service.close();
  });
});
