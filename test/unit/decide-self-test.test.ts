/** The self-test before a revision comes into force (issue 3, "Shipped policies"): every control has a canary that shows when it is gone. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openReaders, type Readers } from '#engine/cli/decide/readers';
import type { DryRunInput, DryRunResult } from '#engine/decide/dry-run';
import { type Candidate, selfTest } from '#engine/decide/self-test';
import type { LocalDecisionService } from '#engine/decide/service';
import { openService, policyFolder } from '#test/support/decide';

const SHIPPED = new URL('../../policies', import.meta.url).pathname;
const ALLOW_ALL = new URL('../policies/allow-all', import.meta.url).pathname;
const DENY_ALL = new URL('../policies/deny-all', import.meta.url).pathname;
const MAIN = 'package policies.a.main\n\nallow contains {"code": "ALL", "reason": "x"}\n';
const MASKING = `${MAIN}\nmask contains {"code": "SECRET", "reason": "x", "columns": ["public.t.secret"], "using": "redact"}\n`;

let readers: Readers;
beforeAll(async () => void (readers = await openReaders()));
afterAll(async () => await readers[Symbol.asyncDispose]());

function open(dir: string, data: readonly string[] = []): Promise<LocalDecisionService> {
  const { facts, masks } = readers;
  return openService(dir, { policies: { dir, data, watch: false, maxAgeMs: 60_000 }, facts, masks, selfTest });
}

describe('the engine’s own canaries', () => {
  test.each([
    ['allow-all', ALLOW_ALL],
    ['deny-all', DENY_ALL],
    ['the shipped packs, with no data at all', SHIPPED],
  ])('hold under %s', async (_name, dir) => {
    (await open(dir)).close();
  });

  test('each control that is gone is named', async () => {
    await using folder = await policyFolder({ 'main.rego': MASKING });
    const service = await open(folder.dir);
    const asked: DryRunInput[] = [];
    const candidate = (gone: number): Candidate => {
      asked.length = 0;
      const judge = async (input: DryRunInput): Promise<DryRunResult> => {
        const honest = await service.dryRun(input);
        return asked.push(input) - 1 === gone ? { ...honest, decision: { ...honest.decision, effect: 'allow' } } : honest;
      };
      return { judge, packages: [], masksPossible: true, cases: new Map() };
    };
    await selfTest(candidate(-1));
    const controls = asked.length;
    expect(controls).toBe(6);
    for (let gone = 0; gone < controls; gone++) {
      await expect(selfTest(candidate(gone))).rejects.toMatchObject({
        code: 'POLICY_SELF_TEST',
        message: expect.stringMatching(/^engine canary ".+": expected deny [A-Z_]+; found allow/) as string,
      });
    }
    service.close();
  });
});

describe('canaries of packs', () => {
  const canary = (over: string): string =>
    `- { name: refused, canary: true, subject: { login: canary }, statement: SELECT 1, expect: { effect: deny, codes: [NO] }${over} }\n`;
  const guard = (code: string): string =>
    `package policies.a.guard\n\ndeny contains {"code": "${code}", "reason": "x"} if not data.off\n\nallow contains {"code": "YES", "reason": "x"}\n`;

  test('one that is not refused, or with another code, rejects the revision, naming pack, case, expected and found', async () => {
    await using folder = await policyFolder({ 'a/guard/guard.rego': guard('NO'), 'a/guard/cases.yaml': canary('') });
    const service = await open(folder.dir);
    const good = service.revision;
    await folder.write('a/guard/guard.rego', guard('OTHER'));
    await expect(service.reload()).rejects.toMatchObject({
      code: 'POLICY_SELF_TEST',
      message: 'a/guard/cases.yaml: canary "refused": expected deny NO; found deny: OTHER (x)',
    });
    await folder.write('a/guard/guard.rego', MAIN.replace('main', 'guard'));
    await expect(service.reload()).rejects.toMatchObject({ message: expect.stringContaining('found allow: ALL (x)') as string });
    expect(service.revision).toBe(good);
    await folder.write('a/guard/guard.rego', `${guard('NO')}\n# mended\n`);
    await service.reload();
    expect(service.status().error).toBeNull();
    expect(service.revision).not.toBe(good);
    service.close();
  });

  test('they are judged with the data in force, and with their own over it', async () => {
    await using folder = await policyFolder({ 'a/guard/guard.rego': guard('NO'), 'a/guard/cases.yaml': canary(''), 'data.yaml': 'off: true\n' });
    await expect(open(folder.dir)).rejects.toMatchObject({ code: 'POLICY_SELF_TEST' });
    await folder.write('a/guard/cases.yaml', canary(', with: { off: false }'));
    const service = await open(folder.dir);
    const { decision } = await service.dryRun({
      subject: { type: 'user', id: 'a', properties: { login: 'a', groups: [] } },
      resource: { type: 'postgresql', id: 'x', properties: { env: 'test', labels: {} } },
      action: 'sql.execute',
      statement: 'SELECT 1',
    });
    expect(decision.effect).toBe('allow'); // the canary's data is not in force
    service.close();
  });

  test('a package in shadow has no effect that could be seen; another package may be stricter', async () => {
    const data = 'rollout: { a: { guard: shadow } }\n';
    await using folder = await policyFolder({ 'a/guard/guard.rego': guard('NO'), 'a/guard/cases.yaml': canary(''), 'data.yaml': data });
    (await open(folder.dir)).close();
    const masked = canary('').replace('deny, codes: [NO]', 'mask, codes: [SECRET]');
    await using strict = await policyFolder({ 'a/guard/guard.rego': guard('NO'), 'a/guard/cases.yaml': masked });
    (await open(strict.dir)).close();
  });

  test('the shipped ones hold beside a package that denies everything', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'interlock-self-test-'));
    try {
      await cp(SHIPPED, dir, { recursive: true });
      await writeFile(join(dir, 'no.rego'), 'package policies.a.no\n\ndeny contains {"code": "NO", "reason": "x"}\n');
      (await open(dir)).close();
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });

  test('a misspelt key is no canary that never sings, but a mistake', async () => {
    await using folder = await policyFolder({ 'a/guard/guard.rego': guard('NO'), 'a/guard/cases.yaml': canary('').replace('canary:', 'canari:') });
    await expect(open(folder.dir)).rejects.toMatchObject({ code: 'POLICY_BUILD', message: expect.stringContaining('`canari`') as string });
  });
});

/** Each rule set of the shipped packs, emptied: the canary that must show it. */
describe('the shipped packs', () => {
  test.each([
    ['postgres/guardrails', 'deny'],
    ['postgres/personal_data', 'mask'],
    ['postgres/production_writes', 'require_approval'],
    ['postgres/production_writes', 'deny'],
    ['mcp/tools', 'deny'],
    ['mcp/tools', 'require_approval'],
  ])('%s without its %s rules does not come into force', async (pack, set) => {
    const dir = await mkdtemp(join(tmpdir(), 'interlock-self-test-'));
    try {
      await cp(SHIPPED, dir, { recursive: true });
      await emptied(join(dir, pack), set);
      await expect(open(dir, [join(SHIPPED, 'example.yaml')])).rejects.toMatchObject({
        code: 'POLICY_SELF_TEST',
        message: expect.stringContaining(`${pack}/canary_cases.yaml: canary "`) as string,
      });
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});

/** Makes every rule of one set never hold. */
async function emptied(folder: string, set: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.rego') || name.endsWith('_test.rego')) continue;
    const text = await readFile(join(folder, name), 'utf8');
    const rules = new RegExp(`^(${set} contains [^]*?\\bif \\{)$`, 'gm');
    await writeFile(join(folder, name), text.replace(rules, '$1\n\tinput.stage == "never"'));
  }
}
