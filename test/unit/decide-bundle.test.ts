/** Building policies: what is refused, with file and line (E1, E4), and what is derived. */
import { describe, expect, test } from 'vitest';
import { SUPPORTED_BUILTINS } from '#engine/decide/builtins';
import { buildPolicies, type BuiltPolicies, PolicyBuildError } from '#engine/decide/bundle';
import { OpaWorkspace } from '#engine/decide/opa';
import { describeReads } from '#engine/decide/read-trie';
import { opaProgram, openService, moment, PACK5, policyFolder, scope } from '#test/support/decide';

const ALLOW = 'package policies.a.all\n\nallow contains {"code": "ALL", "reason": "all"}\n';

async function build(files: Record<string, string>, data: readonly string[] = []): Promise<BuiltPolicies> {
  await using folder = await policyFolder(files);
  return await buildPolicies(folder.dir, { data: data.map((name) => `${folder.dir}/${name}`), opa: opaProgram });
}
const refusal = (files: Record<string, string>): Promise<PolicyBuildError> =>
  build(files).then(
    () => Promise.reject(new Error('it was built')),
    (error: unknown) => error as PolicyBuildError,
  );

describe('what is refused when policy is built', () => {
  test('a builtin that is not supported, with file and line', async () => {
    const error = await refusal({
      'a/b.rego': `package policies.a.b\n\ndeny contains {"code": "X", "reason": "x"} if time.now_ns() > 5\n`,
      'all.rego': ALLOW,
    });
    expect(error).toMatchObject({ code: 'POLICY_BUILTIN', unsupported: [{ builtin: 'time.now_ns', file: 'a/b.rego', line: 3 }] });
    expect(error.message).toContain('a/b.rego:3: builtin time.now_ns is not supported');
  });

  test.each([
    ['http.send', 'http.send({"url": "http://x", "method": "GET"}).status_code == 200'],
    ['regex.split', 'count(regex.split("a+", input.subject.id)) > 1'],
    ['rand.intn', 'rand.intn("x", 2) == 1'],
    ['opa.runtime', 'opa.runtime().env.HOME'],
  ])('%s', async (builtin, body) => {
    const error = await refusal({ 'x.rego': `package policies.a.b\n\ndeny contains {"code": "X", "reason": "x"} if ${body}\n` });
    expect(error.unsupported).toEqual([{ builtin, file: 'x.rego', line: 3 }]);
  });

  test.each([
    ['a syntax error', 'package policies.a.b\n\ndeny contains if {\n', /^x\.rego:\d+: /],
    [
      'a misspelt path: its deny would never fire (E4)',
      'package policies.a.b\n\ndeny contains {"code": "X", "reason": "x"} if input.sql.statments\n',
      /x\.rego:3: undefined ref: input\.sql\.statments.*statements/,
    ],
    ['a deny that is no set', 'package policies.a.b\n\ndeny := true if input.stage == "request"\n', /`deny` must be a set/],
    ['a default', 'package policies.a.b\n\ndefault allow := {{"code": "X", "reason": "x"}}\n', /`allow` must be a set/],
    ['a package that nothing judges', 'package policies.a.b.c\n\ndeny contains {"code": "X", "reason": "x"}\n', /is never judged/],
    ['a package without any set', 'package policies.a.b\n\nhelper := 1\n', /defines none of/],
    ['the generated package', 'package interlock.entry\n\nx := 1\n', /generated/],
    [
      'a rule that hides a builtin (trap 6)',
      'package policies.a.b\n\ncount := 1\n\ndeny contains {"code": "X", "reason": "x"} if count(input.sql.effects) > 1\n',
      /x\.rego:\d+/,
    ],
  ])('%s', async (_name, text, message) => {
    const error = await refusal({ 'x.rego': text });
    expect(error).toMatchObject({ code: 'POLICY_BUILD', message: expect.stringMatching(message) });
  });

  test.each([
    ['not an object', '- 1\n', /object at its top/],
    ['not YAML', 'a: [1\n', /data\.yaml:\d+/],
    ['a key twice', 'a: 1\na: 2\n', /data\.yaml:2/],
    ['a key of rules', 'policies: {}\n', /rules live there/],
    ['an unsafe integer', 'limit: 9007199254740993\n', /write it as a string/],
    ['__proto__', '"__proto__": { x: 1 }\n', /__proto__/],
    ['an unknown rollout', 'rollout: { a: { all: maybe } }\n', /allowed are "shadow" and "live"/],
  ])('data: %s', async (_name, text, message) => {
    expect(await refusal({ 'all.rego': ALLOW, 'data.yaml': text })).toMatchObject({ code: 'POLICY_BUILD', message: expect.stringMatching(message) });
  });

  test('two documents of the folder that disagree', async () => {
    const error = await refusal({ 'all.rego': ALLOW, 'a/data.yaml': 'limits: { shop: 1 }\n', 'b/data.yaml': 'limits: { shop: 2 }\n' });
    expect(error.message).toMatch(/data\.limits\.shop is already set/);
  });

  test('an empty folder, and none at all', async () => {
    expect(await refusal({})).toMatchObject({ code: 'POLICY_BUILD' });
    await expect(buildPolicies('/nowhere', { data: [], opa: opaProgram })).rejects.toMatchObject({ code: 'POLICY_BUILD' });
  });
});

describe('what is built', () => {
  test('the revision names modules and data, and nothing else', async () => {
    const one = await build({ 'all.rego': ALLOW, 'data.yaml': 'a: 1\n' });
    expect((await build({ 'all.rego': ALLOW, 'data.yaml': 'a: 1 # the same\n', 'all_test.rego': 'package policies.a.all_test\n' })).revision).toBe(
      one.revision,
    );
    expect((await build({ 'all.rego': ALLOW, 'data.yaml': 'a: 2\n' })).revision).not.toBe(one.revision);
    expect((await build({ 'all.rego': `${ALLOW}\n# comment\n`, 'data.yaml': 'a: 1\n' })).revision).not.toBe(one.revision);
    expect(one).toMatchObject({ packages: [{ name: 'a.all', sets: ['allow'], shadow: false }], unsupported: [], notes: [] });
  });

  test('documents of the configuration win over those of the packs', async () => {
    const built = await build({ 'all.rego': ALLOW, 'data.yaml': 'a: { b: 1, c: 2 }\n', 'over.yaml': 'a: { b: 3 }\n' }, ['over.yaml']);
    expect(JSON.parse(built.data)).toEqual({ a: { b: 3, c: 2 } });
  });

  test('a policy that reads the time says so, and is judged every time', async () => {
    const text = 'package policies.a.b\n\nallow contains {"code": "X", "reason": "x"} if startswith(input.context.time, "2")\n';
    const built = await build({ 'x.rego': text });
    expect(built.stages.request.volatile).toEqual(['context.time']);
    expect(built.notes.join()).toContain('input.context.time');
    await using folder = await policyFolder({ 'x.rego': text });
    const service = await openService(folder.dir);
    const session = service.openSession(scope());
    const statement = await session.read(Buffer.from('READ a'), {});
    for (let round = 0; round < 2; round++)
      expect(await session.decide(statement, moment())).toMatchObject({ cached: false, judgement: { effect: 'allow' } });
    service.close();
  });

  test('a mask that depends on data survives the build (DESIGN §4: no -O)', async () => {
    const built = await buildPolicies(PACK5, { data: [], opa: opaProgram });
    expect(built.masksPossible).toBe(true);
    expect(describeReads(built.stages.request.reads)).toContain('input.sql.effects[*].object.qualified…');
    expect(built.wasm.length).toBeGreaterThan(100_000);
  });

  test('every supported builtin is one of the pinned OPA, and the WASM has it or the host does', async () => {
    await using workspace = await OpaWorkspace.open(await opaProgram(), new Map());
    const known = await workspace.writeCapabilities('caps.json');
    expect([...SUPPORTED_BUILTINS].filter((name) => !known.has(name))).toEqual([]);
  });
});
