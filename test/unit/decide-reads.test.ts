/**
 * What policies read, derived from their plan: requests that share a key judge equal on their whole inputs (10,000 random pairs), and the
 * test fails when one read path is forgotten. Inputs are made from the trie with constants of the plan, or rules would never fire.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildPolicies } from '#engine/decide/bundle';
import { canonical } from '#engine/decide/canonical';
import { PolicyMachine } from '#engine/decide/machine';
import { meter } from '#engine/decide/meter';
import { OpaWorkspace } from '#engine/decide/opa';
import type { Plan } from '#engine/decide/plan';
import { projected } from '#engine/decide/projection';
import { DEEP, describeReads, KEYS, ReadNode, TOUCH } from '#engine/decide/read-trie';
import { inputReads } from '#engine/decide/reads';
import { Wasm } from '#engine/decide/wasm-api';
import { opaProgram, PACK5 } from '#test/support/decide';

const FOLDER = new URL('../cases/decide/reads/', import.meta.url);
const NAMES = readdirSync(FOLDER).map((file) => file.replace('.rego', ''));
const DATA = { masked: { 'public.payments': ['pan', 'name'], payments: ['x'] }, limits: { shop: 10, payments: 3 } };
const PAIRS_EACH = Math.ceil(10_000 / NAMES.length);

let plan: Plan;
let machine: PolicyMachine;
let workspace: OpaWorkspace;

beforeAll(async () => {
  const files = new Map(NAMES.map((name) => [`${name}.rego`, readFileSync(new URL(`${name}.rego`, FOLDER), 'utf8')]));
  workspace = await OpaWorkspace.open(await opaProgram(), files);
  const entrypoints = NAMES.flatMap((name) => ['--entrypoint', entrypoint(name)]);
  const wasm = await workspace.build('wasm', '/policy.wasm', [...files.keys()], entrypoints);
  plan = JSON.parse(Buffer.from(await workspace.build('plan', '/plan.json', [...files.keys()], entrypoints)).toString('utf8')) as Plan;
  machine = new PolicyMachine(new Wasm.Module(meter(wasm)), JSON.stringify(DATA));
});
afterAll(() => workspace[Symbol.asyncDispose]());

function entrypoint(name: string): string {
  return `t/${name}/out`;
}

/** The whole answer, sets sorted; an error counts as its code. */
function evaluate(name: string, json: string): string {
  const answer = machine.evaluate(machine.entrypoints[entrypoint(name)] ?? -1, json);
  return answer.ok ? canonical(sorted(JSON.parse(answer.text))) : answer.code;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted).sort((a, b) => (canonical(a) < canonical(b) ? -1 : 1));
  if (value !== null && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, sorted(item)]));
  return value;
}

describe('requests that share a key', () => {
  const answers = new Set<string>();
  test.each(NAMES)('%s: equal on the projection, on the whole, and on every request with the same projection', (name) => {
    const reads = inputReads(plan, entrypoint(name));
    const make = new Inputs(1, constants(name));
    for (let pair = 0; pair < PAIRS_EACH; pair++) {
      const one = make.value(reads);
      const two = make.respun(reads, one);
      const key = projected(reads, one);
      expect(projected(reads, two)).toBe(key);
      const whole = evaluate(name, JSON.stringify(one));
      answers.add(`${name} ${whole}`);
      expect(evaluate(name, key), JSON.stringify(one)).toBe(whole);
      expect(evaluate(name, JSON.stringify(two)), `${JSON.stringify(one)}\n${JSON.stringify(two)}`).toBe(whole);
    }
  });

  test('the pairs are not vacuous: rules fire, and answers differ', () => {
    const byName = (name: string): number => [...answers].filter((answer) => answer.startsWith(`${name} `)).length;
    expect(Object.fromEntries(NAMES.map((name) => [name, byName(name) >= 2]))).toEqual(Object.fromEntries(NAMES.map((name) => [name, true])));
  });
});

describe('the shipped packs and the pack of five', () => {
  test.each([
    ['policies', new URL('../../policies', import.meta.url).pathname, [new URL('../corpus/data.yaml', import.meta.url).pathname]],
    ['pack5', PACK5, []],
  ])('%s: requests that share a key judge equal on their whole inputs', async (_name, dir, data) => {
    const built = await buildPolicies(dir, { data, opa: opaProgram });
    const packs = new PolicyMachine(new Wasm.Module(built.wasm), built.data);
    const stage = built.stages.request;
    const judge = (json: string): string => {
      const answer = packs.evaluate(packs.entrypoints[stage.live.entrypoint] ?? -1, json);
      return answer.ok ? canonical(sorted(JSON.parse(answer.text))) : answer.code;
    };
    const strings = (built.plan.static.strings ?? []).map((entry) => entry.value);
    const make = new Inputs(3, [...strings, 'app', 'public.customers', 0, 1, true, null]);
    const answers = new Set<string>();
    for (let pair = 0; pair < 1_000; pair++) {
      const one = make.value(stage.reads);
      const two = make.respun(stage.reads, one);
      const whole = judge(JSON.stringify(one));
      answers.add(whole);
      expect(judge(projected(stage.reads, one)), JSON.stringify(one)).toBe(whole);
      expect(judge(JSON.stringify(two)), `${JSON.stringify(one)}\n${JSON.stringify(two)}`).toBe(whole);
    }
    expect(answers.size).toBeGreaterThan(10);
  });
});

describe('the test of the test', () => {
  test('with one read path forgotten, pairs differ', () => {
    const found: Record<string, string[]> = { caught: [], missed: [] };
    for (const name of NAMES) {
      const full = inputReads(plan, entrypoint(name));
      for (const [path, sabotaged] of sabotages(full)) {
        const make = new Inputs(7, constants(name));
        let caught = false;
        for (let pair = 0; pair < 400 && !caught; pair++) {
          const one = make.value(full);
          const two = make.respun(sabotaged, one);
          if (projected(sabotaged, one) !== projected(sabotaged, two)) throw new Error('the respun input has another key');
          caught = evaluate(name, JSON.stringify(one)) !== evaluate(name, JSON.stringify(two));
        }
        (found[caught ? 'caught' : 'missed'] as string[]).push(`${name} ${path}`);
      }
    }
    const { caught = [], missed = [] } = found;
    // the rest is over-approximated, or rarely decides
    expect(caught.length / (caught.length + missed.length), `missed:\n${missed.join('\n')}`).toBeGreaterThan(0.7);
  }, 120_000);
});

describe('the rules of the analysis', () => {
  const readsOf = (name: string): string[] => describeReads(inputReads(plan, entrypoint(name))).sort();

  test('equality with a constant touches; what goes into a set is deep; literals of a text are not read', () => {
    expect(readsOf('arguments')).toEqual(['input.sql.effects#', 'input.sql.effects[*].object.qualified…', 'input.sql.effects[*].verb']);
  });
  test('walk reads the whole sub-tree', () => expect(readsOf('walking')).toEqual(['input.context.settings…']));
  test('aliases through locals; an array literal keeps apart from what it holds', () => {
    expect(readsOf('aliases')).toContain('input.sql.effects[*].object.name');
    expect(readsOf('aliases')).not.toContain('input.sql.effects…');
  });
  test('object.get with a constant path, union and remove read through', () => {
    expect(readsOf('unions')).toContain('input.resource.properties.env…');
    expect(readsOf('unions')).toContain('input.context.settings.search_path…');
    expect(readsOf('unions')).not.toContain('input.context.settings…');
  });
  test('`with` reads what it puts in place', () => {
    for (const path of ['input.stage', 'input.context.client.tls', 'input.sql.effects[*].verb']) {
      expect(readsOf('with_input').some((read) => read.startsWith(path))).toBe(true);
    }
  });
  test('a function with several bodies: the assignment that could conflict is deep', () => {
    expect(readsOf('bodies')).toContain('input.stage…');
  });
  test('an unknown statement refuses the build', () => {
    const broken = { ...plan, plans: { plans: [{ name: 'x', blocks: [{ stmts: [{ type: 'NewStmt', stmt: {} }] }] }] } } as unknown as Plan;
    expect(() => inputReads(broken, 'x')).toThrow(/NewStmt/);
  });
});

describe('projection', () => {
  test('a key __proto__ is an ordinary key, and inherited ones are none', () => {
    const node = new ReadNode();
    node.child('labels').anyChild().raise(DEEP);
    node.child('toString');
    const value = JSON.parse('{"labels":{"__proto__":"x"}}') as unknown;
    expect(projected(node, value)).toBe('{"labels":{"__proto__":"x"}}');
  });
  test('touch is a shell, keys are names, deep is all', () => {
    const value = { a: { b: 1 }, c: [{ d: 'x' }, 'y'] };
    const node = (mode: typeof TOUCH | typeof KEYS | typeof DEEP): ReadNode => {
      const root = new ReadNode();
      root.child('a').raise(mode);
      root.child('c').raise(mode);
      return root;
    };
    expect(projected(node(TOUCH), value)).toBe('{"a":{},"c":[]}');
    expect(projected(node(KEYS), value)).toBe('{"a":{"b":0},"c":[0,0]}');
    expect(projected(node(DEEP), value)).toBe(JSON.stringify(value));
  });
});

/** Of the plan's string table, what this policy says: rules compare with it. */
function constants(name: string): readonly unknown[] {
  const source = readFileSync(new URL(`${name}.rego`, FOLDER), 'utf8');
  const strings = (plan.static.strings ?? []).map((entry) => entry.value).filter((text) => source.includes(JSON.stringify(text)));
  return [...strings, 'shop', 'public.payments', 'team', 0, 1, 100, true, null];
}

/** Every trie that lacks one thing: a child, the elements, or one step of a mode. */
function sabotages(full: ReadNode): [string, ReadNode][] {
  const found: [string, ReadNode][] = [];
  const visit = (node: ReadNode, path: string, rebuild: (replacement: ReadNode | null) => ReadNode): void => {
    if (path !== 'input') found.push([`- ${path}`, rebuild(null)]);
    if (node.mode === DEEP) found.push([`shallow ${path}`, rebuild(copy(node, TOUCH))]);
    for (const [key, child] of node.children) {
      visit(child, `${path}.${key}`, (replacement) => {
        const changed = copy(node);
        changed.children.delete(key);
        if (replacement) changed.children.set(key, replacement);
        return rebuild(changed);
      });
    }
    if (node.any) {
      visit(node.any, `${path}[*]`, (replacement) => {
        const changed = copy(node);
        changed.any = replacement;
        return rebuild(changed);
      });
    }
  };
  visit(full, 'input', (replacement) => replacement ?? full);
  return found;
}

function copy(node: ReadNode, mode: ReadNode['mode'] = node.mode): ReadNode {
  const made = new ReadNode(node.depth);
  made.mode = mode;
  for (const [key, child] of node.children) made.children.set(key, child);
  made.any = node.any;
  return made;
}

/** Random inputs in the shape of a trie; a small generator of its own, so that a seed repeats. */
class Inputs {
  #state: number;
  readonly #constants: readonly unknown[];

  constructor(seed: number, values: readonly unknown[]) {
    this.#state = seed;
    this.#constants = values;
  }

  #random(below: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * below);
  }

  value(node: ReadNode): unknown {
    if (this.#random(20) === 0) return this.#anything(1);
    if (node.children.size === 0 && !node.any)
      return node.mode === KEYS ? this.#container(() => this.#anything(0)) : this.#anything(node.mode === DEEP ? 1 : 0);
    const made: Record<string, unknown> = {};
    for (const [key, child] of node.children) if (this.#random(8) > 0) made[key] = this.value(child);
    const { any } = node;
    if (!any) return made;
    if (node.children.size === 0 && this.#random(5) > 0) return Array.from({ length: this.#random(4) }, () => this.value(any));
    for (let more = this.#random(3); more > 0; more--) made[String(this.#constant('string'))] = this.value(any);
    return made;
  }

  /** The same key, everything else anew. */
  respun(node: ReadNode | null, value: unknown): unknown {
    if (!node) return this.#anything(1);
    if (value === null || typeof value !== 'object' || node.mode === DEEP) return value;
    if (Array.isArray(value)) {
      if (node.any || node.mode >= KEYS) return value.map((item) => this.respun(node.any, item));
      return Array.from({ length: this.#random(4) }, () => this.#anything(1));
    }
    const made: Record<string, unknown> = {};
    const all = node.any !== null || node.mode >= KEYS;
    for (const [key, item] of Object.entries(value)) {
      const child = node.children.get(key) ?? node.any;
      if (child) made[key] = this.respun(child, item);
      else if (all) made[key] = this.#anything(1);
    }
    if (!all) for (let more = this.#random(4); more > 0; more--) this.#extra(node, made);
    return made;
  }

  #extra(node: ReadNode, made: Record<string, unknown>): void {
    const key = String(this.#constant('string'));
    if (!node.children.has(key)) made[key] = this.#anything(1);
  }

  #container(item: () => unknown): unknown {
    if (this.#random(2) === 0) return Array.from({ length: this.#random(4) }, item);
    return Object.fromEntries(Array.from({ length: this.#random(4) }, () => [String(this.#constant('string')), item()]));
  }

  #anything(depth: number): unknown {
    return depth > 0 && this.#random(4) === 0 ? this.#container(() => this.#anything(depth - 1)) : this.#constant('any');
  }

  #constant(kind: 'string' | 'any'): unknown {
    const from = kind === 'string' ? this.#constants.filter((value) => typeof value === 'string') : this.#constants;
    return from[this.#random(from.length)];
  }
}
