/** The loader and its bounds: each trap of JUDGING is a case here. E1, E2; issue 3 "Judgement". */
import { readFileSync } from 'node:fs';
import { loadPolicy } from '@open-policy-agent/opa-wasm';
import { beforeAll, describe, expect, test } from 'vitest';
import { MACHINE_LIMITS, PolicyMachine } from '#engine/decide/machine';
import { meter } from '#engine/decide/meter';
import { OpaWorkspace } from '#engine/decide/opa';
import { Wasm, type WasmModule } from '#engine/decide/wasm-api';
import { opaProgram } from '#test/support/decide';
import { cpuMs } from '#test/support/stopwatch';

const RULES = ['out', 'slow', 'large', 'errors', 'echo', 'backtrack', 'texts'] as const;
let plain: Uint8Array;
let module: WasmModule;
let machine: PolicyMachine;

beforeAll(async () => {
  const source = readFileSync(new URL('../cases/decide/traps/traps.rego', import.meta.url), 'utf8');
  await using workspace = await OpaWorkspace.open(await opaProgram(), new Map([['traps.rego', source]]));
  plain = await workspace.build(
    'wasm',
    '/policy.wasm',
    ['traps.rego'],
    RULES.flatMap((rule) => ['--entrypoint', `t/traps/${rule}`]),
  );
  module = new Wasm.Module(meter(plain));
  machine = new PolicyMachine(module, '{}');
});

function run(rule: (typeof RULES)[number], input: unknown, on: PolicyMachine = machine): ReturnType<PolicyMachine['evaluate']> {
  return on.evaluate(on.entrypoints[`t/traps/${rule}`] ?? -1, typeof input === 'string' ? input : JSON.stringify(input));
}
function result(rule: (typeof RULES)[number], input: unknown, on: PolicyMachine = machine): unknown {
  const answer = run(rule, input, on);
  return answer.ok ? (JSON.parse(answer.text) as { result: unknown }[])[0]?.result : answer.code;
}
const effects = (...names: string[]): object => ({ sql: { effects: names.map((name) => ({ object: { name } })), statements: [{ kind: 'drop' }] } });
const items = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

describe('trouble ends one evaluation and no other', () => {
  test('10,000 provoked conflicts, and then still right (trap 1)', () => {
    for (let round = 0; round < 10_000; round++) {
      const answer = run('out', effects(`a${round}`, 'b'));
      if (answer.ok || answer.code !== 'POLICY_CONFLICT') throw new Error(`round ${round}: ${JSON.stringify(answer)}`);
      if (round % 500 === 0) expect(result('out', effects('x'))).toEqual(expect.arrayContaining(['x', 'deny']));
    }
    expect(run('out', effects('a', 'b'))).toMatchObject({ code: 'POLICY_CONFLICT', detail: expect.stringMatching(/traps\.rego:\d+/) });
    expect(result('out', effects('x'))).toEqual(expect.arrayContaining(['x', 'deny']));
  });

  test('the stack pointer is what does it: without restoring, conflicts end all judging', () => {
    // the npm package does not restore it; this is the oracle for the trap itself
    return loadPolicy(plain as unknown as ArrayBuffer).then((policy) => {
      const entry = policy.entrypoints['t/traps/out'] as unknown as number;
      for (let round = 0; round < 1_000; round++) expect(() => policy.evaluate(effects('a', 'b'), entry) as unknown).toThrow();
      expect(() => policy.evaluate(effects('x'), entry) as unknown).toThrow(/out of bounds/);
    });
  });

  test('a policy that runs past its fuel is stopped, and the next one is judged at once', () => {
    expect(cpuMs(() => expect(run('slow', { items: items(3_000) })).toMatchObject({ code: 'BUDGET_POLICY' }))).toBeLessThan(1_000);
    const tight = new PolicyMachine(module, '{}', { ...MACHINE_LIMITS, fuelUnits: 2_000 });
    for (let round = 0; round < 2_000; round++) expect(run('slow', { items: items(50) }, tight)).toMatchObject({ code: 'BUDGET_POLICY' });
    expect(result('slow', { items: items(2) }, tight)).toEqual([]);
    expect(result('slow', { items: items(5) })).toEqual([]);
    expect(result('out', effects('x'))).toEqual(expect.arrayContaining(['x', 'deny']));
  }, 120_000);

  test('fuel is deterministic', () => {
    const used = new Set(
      Array.from({ length: 50 }, (_, round) => {
        if (round % 3 === 0) run('out', effects('a', 'b'));
        const answer = run('slow', { items: items(20) });
        return answer.ok ? answer.fuelUnits : -1;
      }),
    );
    expect(used.size).toBe(1);
    expect([...used][0]).toBeGreaterThan(100);
  });

  test('a policy that needs more memory than its cap is stopped; an input larger than the room too', () => {
    const small = new PolicyMachine(module, '{}', { fuelUnits: 2_000_000_000, memoryPages: 32 });
    expect(run('large', { items: items(200), filler: 'x'.repeat(2_000) }, small)).toMatchObject({ code: 'BUDGET_POLICY_MEMORY' });
    expect(run('echo', { filler: 'x'.repeat(4_000_000) }, small)).toMatchObject({ code: 'BUDGET_POLICY_MEMORY' });
    expect(result('large', { items: [1], filler: 'x' }, small)).toBe('x 1');
  });

  test('host builtins charge fuel', () => {
    const answer = run('large', { items: items(20), filler: 'x'.repeat(5_000) });
    expect(answer).toMatchObject({ code: 'BUDGET_POLICY' });
  });

  test('depth: 10,000 levels are a refusal, not a broken instance (trap 11)', () => {
    const deep = `${'['.repeat(10_000)}${']'.repeat(10_000)}`;
    expect(run('echo', deep).ok).toBe(false);
    expect(result('echo', { a: 1 })).toEqual({ a: 1 });
  });

  test('lone surrogates abort inside, and leave no trace (trap 9)', () => {
    expect(run('echo', '{"a":"\\ud800"}').ok).toBe(false);
    expect(result('echo', { a: 'é 😀 \u0000' })).toEqual({ a: 'é 😀 \u0000' });
  });
});

describe('what goes in and comes out', () => {
  test('input that is not JSON is an undefined input: no deny fires (trap 2), which is why only JSON.stringify makes inputs', () => {
    expect(run('out', '{"sql":')).toMatchObject({ ok: true, text: '[{"result":[]}]' });
    expect(run('echo', 'nonsense')).toMatchObject({ ok: true, text: '[]' });
  });

  test('__proto__ is an ordinary key (trap 10)', () => {
    expect(run('echo', '{"__proto__":{"x":1},"constructor":2}')).toMatchObject({ text: '[{"result":{"__proto__":{"x":1},"constructor":2}}]' });
  });

  test('numbers beyond 2^53 are exact inside (trap 8)', () => {
    expect(run('echo', '{"n":9007199254740993}')).toMatchObject({ text: '[{"result":{"n":9007199254740993}}]' });
  });

  test('builtin errors are undefined (trap 4)', () => {
    expect(result('errors', { zero: 0, filler: 'x' })).toEqual(['ordered types']);
  });

  test('sprintf is what OPA has, and keeps the digits of numbers (trap 7)', () => {
    expect((result('texts', { filler: 'é%s' }) as string[]).sort()).toEqual(
      ['9007199254740993', '1 %!s(MISSING)', 'é%s|42|{"a": 1}|[1, "x"]| 1.50|"q"|ff|true|%'].sort(),
    );
  });

  test('regular expressions run in linear time: RE2 inside the WASM', () => {
    expect(cpuMs(() => expect(run('backtrack', { filler: `${'a'.repeat(5_000)}!` }).ok).toBe(true))).toBeLessThan(2_000);
  });

  test('a builtin that the host lacks is refused when the module is loaded (trap 5)', async () => {
    await using workspace = await OpaWorkspace.open(await opaProgram(), new Map([['x.rego', 'package x\n\ny := time.now_ns()\n']]));
    const wasm = await workspace.build('wasm', '/policy.wasm', ['x.rego'], ['--entrypoint', 'x/y']);
    expect(() => new PolicyMachine(new Wasm.Module(meter(wasm)), '{}')).toThrow(/time\.now_ns/);
  });

  test('two machines on one module do not see each other’s data (trap 13)', () => {
    const one = new PolicyMachine(module, '{"a":1}');
    const two = new PolicyMachine(module, '{"a":2}');
    expect([result('echo', { n: 1 }, one), result('echo', { n: 2 }, two), result('echo', { n: 1 }, one)]).toEqual([{ n: 1 }, { n: 2 }, { n: 1 }]);
  });

  test('the same answers as the npm package', async () => {
    const policy = await loadPolicy(plain as unknown as ArrayBuffer);
    for (const input of [effects('x'), effects(), { sql: {} }, {}]) {
      const [oracle] = policy.evaluate(input, policy.entrypoints['t/traps/out'] as unknown as number) as { result: unknown }[];
      expect(result('out', input)).toEqual(oracle?.result);
    }
  });
});

describe('the meter', () => {
  test('an opcode that it does not know refuses the build', () => {
    // magic, version; type () -> (); one function; one global; no export; the code
    const head = '0061736d 01000000 010401600000 03020100 0606017f0141000b 070100';
    const withCode = (...code: number[]): Uint8Array =>
      Buffer.concat([
        Buffer.from(head.replaceAll(' ', ''), 'hex'),
        Uint8Array.from([0x0a, code.length + 4, 0x01, code.length + 2, 0x00, ...code, 0x0b]),
      ]);
    expect(() => new Wasm.Module(meter(withCode(0x01)))).not.toThrow();
    expect(() => meter(withCode(0xfc, 0x0b, 0x00))).toThrow(/opcode 0xfc/); // memory.fill
  });

  test('without a name section every function is probed', () => {
    const withNames = meter(plain).length;
    const unnamed = meter(withoutCustomSections(plain)).length + (plain.length - withoutCustomSections(plain).length);
    expect(unnamed).toBeGreaterThan(withNames);
  });

  test('a truncated module is refused', () => {
    expect(() => meter(plain.subarray(0, plain.length - 5_000))).toThrow();
  });

  test('a judgement uses a small part of its fuel', () => {
    const answer = run('out', effects('x'));
    expect(answer.ok && answer.fuelUnits).toBeLessThan(MACHINE_LIMITS.fuelUnits / 50);
  });
});

function withoutCustomSections(wasm: Uint8Array): Uint8Array {
  const parts = [wasm.subarray(0, 8)];
  for (let at = 8; at < wasm.length; ) {
    let length = 0;
    let from = at + 1;
    for (let shift = 0; ; shift += 7) {
      const byte = wasm[from++] as number;
      length += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    if (wasm[at] !== 0) parts.push(wasm.subarray(at, from + length));
    at = from + length;
  }
  return Buffer.concat(parts);
}
