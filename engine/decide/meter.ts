/**
 * Meters a policy's WASM: one unit of fuel at each loop header, at the entry of every function that the policy itself defines, and of
 * functions that can recurse or call indirectly. Below zero it traps, so a policy that runs too long is stopped in the enforcing thread
 * (DESIGN §4; which functions are probed, and why, is measured in ADR 0004).
 */
import { OP, u32, vectorName, WasmReader } from './wasm-reader.ts';

/** A normal judgement takes 3,000–11,000 units; 500,000 last about 10 ms. The probed set and this budget belong together. */
export const FUEL_UNITS_MAX = 500_000;
/** For loading data, which is ours and not a user's to grow. */
export const FUEL_UNITS_LOAD = 2_000_000_000;

export const FUEL_EXPORT = 'interlock_fuel';
export const STACK_EXPORT = 'interlock_stack';

const SECTION = { custom: 0, import: 2, global: 6, export: 7, code: 10 } as const;
const EMPTY_BLOCK = 0x40;
/** `(global (mut i32) (i32.const 0x7fffffff))`: full while the module starts. */
const FUEL_GLOBAL = [0x7f, 0x01, 0x41, 0xff, 0xff, 0xff, 0xff, 0x07, 0x0b];

interface FunctionBody {
  readonly start: number;
  /** After the declarations of locals. */
  readonly code: number;
  readonly end: number;
  /** Offsets just inside loops. */
  readonly loops: readonly number[];
  readonly calls: readonly number[];
  readonly indirect: boolean;
}

interface Module {
  readonly sections: readonly { readonly id: number; readonly start: number; readonly end: number }[];
  readonly importedFunctions: number;
  readonly globals: number;
  readonly bodies: readonly FunctionBody[];
  /** By function index; null without a name section. */
  readonly names: ReadonlyMap<number, string> | null;
}

/** The same module, metered. @throws Error for anything in it that is not known: refuse the build. */
export function meter(wasm: Uint8Array): Uint8Array {
  const module = readModule(wasm);
  const fuel = module.globals;
  const probe = probeOf(fuel);
  const probed = probedFunctions(module);
  const parts: Uint8Array[] = [wasm.subarray(0, 8)];
  for (const section of module.sections) {
    const body = wasm.subarray(section.start, section.end);
    if (section.id === SECTION.global) parts.push(...framed(section.id, appended(body, [FUEL_GLOBAL])));
    else if (section.id === SECTION.export)
      parts.push(...framed(section.id, appended(body, [exported(FUEL_EXPORT, fuel), exported(STACK_EXPORT, 0)])));
    else if (section.id === SECTION.code) parts.push(...framed(section.id, codeSection(wasm, module, probed, probe)));
    else parts.push(...framed(section.id, [body]));
  }
  return Buffer.concat(parts);
}

/** Subtract one; trap below zero. */
function probeOf(fuel: number): Uint8Array {
  const index = u32(fuel);
  return Uint8Array.from([0x23, ...index, 0x41, 1, 0x6b, 0x24, ...index, 0x23, ...index, 0x41, 0, 0x48, 0x04, EMPTY_BLOCK, 0x00, 0x0b]);
}

function exported(name: string, globalIndex: number): number[] {
  return [...vectorName(name), 0x03, ...u32(globalIndex)];
}

/** A vector with items added at its end. */
function appended(body: Uint8Array, items: readonly (readonly number[])[]): Uint8Array[] {
  const reader = new WasmReader(body);
  const count = reader.u32();
  return [Uint8Array.from(u32(count + items.length)), body.subarray(reader.at), ...items.map((item) => Uint8Array.from(item))];
}

function framed(id: number, parts: readonly Uint8Array[]): Uint8Array[] {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return [Uint8Array.from([id, ...u32(length)]), ...parts];
}

function codeSection(wasm: Uint8Array, module: Module, probed: ReadonlySet<number>, probe: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [Uint8Array.from(u32(module.bodies.length))];
  module.bodies.forEach((body, position) => {
    const points = probed.has(position + module.importedFunctions) ? [body.code, ...body.loops] : body.loops;
    parts.push(Uint8Array.from(u32(body.end - body.start + points.length * probe.length)));
    let from = body.start;
    for (const point of points) {
      parts.push(wasm.subarray(from, point), probe);
      from = point;
    }
    parts.push(wasm.subarray(from, body.end));
  });
  return parts;
}

function probedFunctions(module: Module): ReadonlySet<number> {
  const probed = new Set<number>();
  const cyclic = functionsOnCycles(module);
  module.bodies.forEach((body, position) => {
    const index = position + module.importedFunctions;
    const own = module.names === null || module.names.get(index)?.startsWith('g0.') === true;
    if (own || body.indirect || cyclic.has(index)) probed.add(index);
  });
  return probed;
}

/** Tarjan's strongly connected components, iterative; a function that calls itself is a cycle too. */
function functionsOnCycles(module: Module): ReadonlySet<number> {
  const first = module.importedFunctions;
  const callsOf = (index: number): readonly number[] => module.bodies[index - first]?.calls ?? [];
  const order = new Map<number, number>();
  const low = new Map<number, number>();
  const open: number[] = [];
  const isOpen = new Set<number>();
  const cyclic = new Set<number>();
  for (let root = first; root < first + module.bodies.length; root++) {
    if (order.has(root)) continue;
    const work: { index: number; next: number }[] = [{ index: root, next: 0 }];
    while (work.length > 0) {
      const frame = work[work.length - 1] as { index: number; next: number };
      const { index } = frame;
      if (frame.next === 0) {
        order.set(index, order.size);
        low.set(index, order.get(index) as number);
        open.push(index);
        isOpen.add(index);
      }
      const callee = callsOf(index)[frame.next++];
      if (callee !== undefined) {
        if (callee === index) cyclic.add(index);
        if (callee < first) continue;
        if (!order.has(callee)) work.push({ index: callee, next: 0 });
        else if (isOpen.has(callee)) low.set(index, Math.min(low.get(index) as number, order.get(callee) as number));
        continue;
      }
      work.pop();
      const parent = work[work.length - 1];
      if (parent) low.set(parent.index, Math.min(low.get(parent.index) as number, low.get(index) as number));
      if (low.get(index) !== order.get(index)) continue;
      const component = open.splice(open.lastIndexOf(index));
      for (const member of component) isOpen.delete(member);
      if (component.length > 1) for (const member of component) cyclic.add(member);
    }
  }
  return cyclic;
}

function readModule(wasm: Uint8Array): Module {
  const reader = new WasmReader(wasm, 8);
  const sections: { id: number; start: number; end: number }[] = [];
  let importedFunctions = 0;
  let globals = 0;
  let bodies: FunctionBody[] = [];
  let names: Map<number, string> | null = null;
  while (reader.at < wasm.length) {
    const id = reader.byte();
    const length = reader.u32();
    const section = { id, start: reader.at, end: reader.at + length };
    sections.push(section);
    const inner = new WasmReader(wasm, section.start, section.end);
    if (id === SECTION.import) importedFunctions = countImportedFunctions(inner);
    else if (id === SECTION.global) globals = inner.u32();
    else if (id === SECTION.code) bodies = readBodies(inner);
    else if (id === SECTION.custom && inner.name() === 'name') names = functionNames(inner);
    reader.skip(length);
  }
  if (globals === 0 || bodies.length === 0) throw new Error('the WASM has no globals or no code');
  return { sections, importedFunctions, globals, bodies, names };
}

/** OPA's modules import functions and one memory; anything else could shift indexes that we rely on. */
function countImportedFunctions(reader: WasmReader): number {
  let functions = 0;
  for (let left = reader.u32(); left > 0; left--) {
    void (reader.name(), reader.name());
    const kind = reader.byte();
    if (kind === 0) {
      reader.u32();
      functions++;
    } else if (kind === 2) {
      const limits = reader.byte();
      reader.u32();
      if (limits % 2 === 1) reader.u32();
    } else throw new Error(`the WASM imports something of kind ${kind}`);
  }
  return functions;
}

function readBodies(reader: WasmReader): FunctionBody[] {
  return Array.from({ length: reader.u32() }, () => {
    const length = reader.u32();
    const start = reader.at;
    reader.skip(length);
    return readBody(new WasmReader(reader.bytes, start, start + length));
  });
}

function readBody(reader: WasmReader): FunctionBody {
  const start = reader.at;
  for (let groups = reader.u32(); groups > 0; groups--) {
    reader.u32();
    reader.byte();
  }
  const code = reader.at;
  const loops: number[] = [];
  const calls = new Set<number>();
  let indirect = false;
  while (reader.at < reader.end) {
    const { opcode, operand } = reader.instruction();
    if (opcode === OP.loop) loops.push(reader.at);
    else if (opcode === OP.call) calls.add(operand);
    else if (opcode === OP.callIndirect) indirect = true;
  }
  return { start, code, end: reader.end, loops, calls: [...calls], indirect };
}

function functionNames(reader: WasmReader): Map<number, string> | null {
  while (reader.at < reader.end) {
    const id = reader.byte();
    const length = reader.u32();
    if (id !== 1) {
      reader.skip(length);
      continue;
    }
    const names = new Map<number, string>();
    for (let left = reader.u32(); left > 0; left--) names.set(reader.u32(), reader.name());
    return names;
  }
  return null;
}
