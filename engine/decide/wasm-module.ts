/** What metering needs to know of a module: sections, functions with their loops and calls, names. */
import { OP, WasmReader } from './wasm-reader.ts';

export const SECTION = { custom: 0, import: 2, global: 6, export: 7, code: 10 } as const;

export interface FunctionBody {
  readonly start: number;
  /** After the declarations of locals. */
  readonly code: number;
  readonly end: number;
  /** Offsets just inside loops. */
  readonly loops: readonly number[];
  readonly calls: readonly number[];
  readonly indirect: boolean;
  /** Indexes of the globals that it writes, one for each instruction. */
  readonly writes: readonly number[];
}

export interface WasmModuleText {
  readonly sections: readonly { readonly id: number; readonly start: number; readonly end: number }[];
  readonly importedFunctions: number;
  readonly globals: number;
  readonly bodies: readonly FunctionBody[];
  /** Exported globals by name. */
  readonly exportedGlobals: ReadonlyMap<string, number>;
  /** By function index; null without a name section. */
  readonly names: ReadonlyMap<number, string> | null;
}

/** @throws Error for anything that is not known */
export function readModule(wasm: Uint8Array): WasmModuleText {
  const reader = new WasmReader(wasm, 8);
  const sections: { id: number; start: number; end: number }[] = [];
  let importedFunctions = 0;
  let globals = 0;
  let bodies: FunctionBody[] = [];
  let names: Map<number, string> | null = null;
  let exportedGlobals: ReadonlyMap<string, number> = new Map();
  while (reader.at < wasm.length) {
    const id = reader.byte();
    const length = reader.u32();
    const section = { id, start: reader.at, end: reader.at + length };
    sections.push(section);
    const inner = new WasmReader(wasm, section.start, section.end);
    if (id === SECTION.import) importedFunctions = countImportedFunctions(inner);
    else if (id === SECTION.global) globals = inner.u32();
    else if (id === SECTION.export) exportedGlobals = readExportedGlobals(inner);
    else if (id === SECTION.code) bodies = readBodies(inner);
    else if (id === SECTION.custom && inner.name() === 'name') names = functionNames(inner);
    reader.skip(length);
  }
  if (globals === 0 || bodies.length === 0) throw new Error('the WASM has no globals or no code');
  return { sections, importedFunctions, globals, bodies, exportedGlobals, names };
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

function readExportedGlobals(reader: WasmReader): Map<string, number> {
  const found = new Map<string, number>();
  for (let left = reader.u32(); left > 0; left--) {
    const name = reader.name();
    const kind = reader.byte();
    const index = reader.u32();
    if (kind === 3) found.set(name, index);
  }
  return found;
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
  const writes: number[] = [];
  while (reader.at < reader.end) {
    const { opcode, operand } = reader.instruction();
    if (opcode === OP.loop) loops.push(reader.at);
    else if (opcode === OP.call) calls.add(operand);
    else if (opcode === OP.callIndirect) indirect = true;
    else if (opcode === OP.globalSet) writes.push(operand);
  }
  return { start, code, end: reader.end, loops, calls: [...calls], indirect, writes };
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
