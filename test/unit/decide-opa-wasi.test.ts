/** Issue 5, "What a user can do" 2: the compiler that a published package carries answers as the OPA program does, and stays within its bounds. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openReaders } from '#engine/cli/decide/readers';
import { buildPolicies, type BuiltPolicies, PolicyBuildError } from '#engine/decide/bundle';
import { NativeOpa } from '#engine/decide/opa-native';
import { WasiOpa } from '#engine/decide/opa-wasi';
import { testPolicies } from '#engine/decide/policy-tests';
import { opaProgram, policyFolder } from '#test/support/decide';
import { opaWasi } from '#tools/opa-wasi';

const SHIPPED = new URL('../../policies', import.meta.url).pathname;
const BOUNDS = { deadlineMs: 60_000, memoryMiB: 1_024, outputBytes: 1024 * 1024 };
/** Nine million rounds: longer than any deadline here. */
const LONG = 'count({1 | some a in numbers.range(1, 3000); some b in numbers.range(1, 3000); a * b == 1})';

let module: string;
let dir: string;
beforeAll(async () => {
  module = await opaWasi();
  dir = await mkdtemp(join(tmpdir(), 'interlock-wasi-'));
  await writeFile(join(dir, 'input.json'), '{}');
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe('the module and the program', () => {
  test('make the same WASM, plan and revision of the shipped packs', async () => {
    const data = [join(SHIPPED, 'example.yaml')];
    const byModule = await buildPolicies(SHIPPED, { data, opa: () => Promise.resolve(module) });
    const byProgram = await buildPolicies(SHIPPED, { data, opa: opaProgram });
    expect(byModule.wasm.length).toBeGreaterThan(100_000);
    expect(Buffer.compare(byModule.wasm, byProgram.wasm)).toBe(0);
    const told = ({ revision, plan, data, packages }: BuiltPolicies): unknown => ({ revision, plan, data, packages });
    expect(told(byModule)).toEqual(told(byProgram));
  });

  test('find the same passing and failing policy tests', async () => {
    const wrong =
      'package policies.a.main_test\n\ntest_wrong if data.policies.a.main.allow == set()\n\ntest_right if true\n\ntest_error if 1 / data.zero > 0\n';
    const main = 'package policies.a.main\n\nallow contains {"code": "ALL", "reason": "all"}\n';
    await using folder = await policyFolder({ 'a/main.rego': main, 'a/main_test.rego': `${wrong}\ntodo_later if false\n`, 'd.yaml': 'zero: 0\n' });
    await using readers = await openReaders();
    const report = async (opa: () => Promise<string>): Promise<unknown> => {
      const { cases, ...totals } = await testPolicies(folder.dir, { data: [], opa, facts: readers.facts, masks: readers.masks });
      return { ...totals, cases: cases.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
    };
    const byModule = await report(() => Promise.resolve(module));
    expect(byModule).toMatchObject({ passed: 1, failed: 2 }); // todo_ is skipped
    expect(byModule).toEqual(await report(opaProgram));
  });

  test.each([
    ['a syntax error', 'package policies.a.main\n\nallow contains {'],
    ['an unsupported builtin', 'package policies.a.main\n\nallow contains {"code": "X", "reason": http.send({}).body}\n'],
    ['a path that no request has', 'package policies.a.main\n\nallow contains {"code": "X", "reason": input.subjct.id}\n'],
    ['a type error', 'package policies.a.main\n\nallow contains {"code": "X", "reason": 1 + "a"}\n'],
    ['two of them', 'package policies.a.main\n\nallow contains x\n\ndeny contains y\n'],
  ])('refuse %s in the same words', async (_name, text) => {
    await using folder = await policyFolder({ 'a/main.rego': text });
    const refusal = async (opa: () => Promise<string>): Promise<unknown> => {
      const error: unknown = await buildPolicies(folder.dir, { data: [], opa }).catch((cause: unknown) => cause);
      if (!(error instanceof PolicyBuildError)) throw new Error('it was built', { cause: error });
      const { code, problems, unsupported } = error;
      return { code, problems, unsupported };
    };
    const byModule = await refusal(() => Promise.resolve(module));
    expect(byModule).toMatchObject({ problems: expect.arrayContaining([expect.objectContaining({ file: 'a/main.rego' })]) });
    expect(byModule).toEqual(await refusal(opaProgram));
  });

  test('are of the same version', async () => {
    await using wasi = new WasiOpa(module, BOUNDS);
    await using native = new NativeOpa(await opaProgram());
    const version = (text: string): string | undefined => text.split('\n').find((line) => line.startsWith('Version:'));
    expect(version((await wasi.run(dir, ['version'])).stdout)).toBe(version((await native.run(dir, ['version'])).stdout));
  });
});

describe('the module', () => {
  test('is stopped at its deadline, and the next command is answered', async () => {
    await using opa = new WasiOpa(module, { ...BOUNDS, deadlineMs: 8_000 });
    const late = opa.run(dir, ['eval', '--input', 'input.json', LONG]);
    const next = opa.run(dir, ['version']);
    await expect(late).rejects.toMatchObject({ code: 'POLICY_BUILD', message: 'OPA did not run: it took longer than 8 s' });
    expect((await next).stdout).toMatch(/^Version: /);
  });

  test('gets no more memory than it may have, and the next command is answered', async () => {
    await using opa = new WasiOpa(module, { ...BOUNDS, memoryMiB: 64 });
    const { ok, stderr } = await opa.run(dir, ['eval', '--input', 'input.json', 'count(numbers.range(1, 5000000))']);
    expect({ ok, stderr }).toEqual({ ok: false, stderr: expect.stringContaining('out of memory') });
    expect(await opa.run(dir, ['version'])).toMatchObject({ ok: true });
  });

  test('writes no more than it may', async () => {
    await using opa = new WasiOpa(module, { ...BOUNDS, outputBytes: 1_000 });
    await expect(opa.run(dir, ['eval', '--input', 'input.json', 'numbers.range(1, 1000)'])).rejects.toMatchObject({
      message: 'OPA did not run: it wrote more than 1000 bytes',
    });
  });

  test('sees its folder only', async () => {
    await using opa = new WasiOpa(module, BOUNDS);
    await using beside = await policyFolder({ 'x.rego': 'package x\n' });
    expect(await opa.run(beside.dir, ['check', '--', 'x.rego'])).toMatchObject({ ok: true });
    expect(await opa.run(dir, ['check', '--', join(beside.dir, 'x.rego')])).toMatchObject({
      ok: false,
      stderr: expect.stringMatching(/Bad file number/),
    });
  });

  test('that is none is a refusal', async () => {
    await writeFile(join(dir, 'broken.wasm.gz'), 'not gzip');
    await using opa = new WasiOpa(join(dir, 'broken.wasm.gz'), BOUNDS);
    await expect(opa.run(dir, ['version'])).rejects.toMatchObject({ code: 'POLICY_BUILD', message: expect.stringMatching(/^OPA did not run: /) });
  });
});
