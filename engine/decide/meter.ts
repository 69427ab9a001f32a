/**
 * Meters a policy's WASM: one unit of fuel at each loop header, at the entry of every function that the policy itself defines, and of
 * functions that can recurse or call indirectly. Below zero it traps, so a policy that runs too long is stopped in the enforcing thread
 * (DESIGN §4; which functions are probed, and why, is measured in ADR 0004).
 */
import { functionsOnCycles } from './call-cycles.ts';
import { readModule, SECTION, type WasmModuleText } from './wasm-module.ts';
import { u32, vectorName, WasmReader } from './wasm-reader.ts';

/** A normal judgement takes 3,000–11,000 units; 500,000 last about 10 ms. The probed set and this budget belong together. */
export const FUEL_UNITS_MAX = 500_000;
/** For loading data, which is ours and not a user's to grow. */
export const FUEL_UNITS_LOAD = 2_000_000_000;

export const FUEL_EXPORT = 'interlock_fuel';
export const STACK_EXPORT = 'interlock_stack';

const EMPTY_BLOCK = 0x40;
/** `(global (mut i32) (i32.const 0x7fffffff))`: full while the module starts. */
const FUEL_GLOBAL = [0x7f, 0x01, 0x41, 0xff, 0xff, 0xff, 0xff, 0x07, 0x0b];

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
export function probeOf(fuel: number): Uint8Array {
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

function codeSection(wasm: Uint8Array, module: WasmModuleText, probed: ReadonlySet<number>, probe: Uint8Array): Uint8Array[] {
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

export function probedFunctions(module: WasmModuleText): ReadonlySet<number> {
  const probed = new Set<number>();
  const cyclic = functionsOnCycles(module.importedFunctions, module.bodies);
  module.bodies.forEach((body, position) => {
    const index = position + module.importedFunctions;
    const own = module.names === null || module.names.get(index)?.startsWith('g0.') === true;
    if (own || body.indirect || cyclic.has(index)) probed.add(index);
  });
  return probed;
}
