/** One loaded policy module with its memory: OPA's WASM ABI 1.3 (https://www.openpolicyagent.org/docs/wasm). What it throws is the machine's to mend. */
import { HOST_BUILTINS, type HostBuiltin } from './builtins.ts';
import { FUEL_EXPORT, FUEL_UNITS_LOAD, STACK_EXPORT } from './meter.ts';
import { ExactNumber } from './sprintf.ts';
import { Wasm, type WasmGlobal, type WasmMemory, type WasmModule } from './wasm-api.ts';

const PAGE_BYTES = 65_536;
const BUILTIN_FUEL_UNITS = 400;
const ABI_MAJOR = 1;
const ABI_MINOR_MIN = 2;

interface PolicyExports {
  readonly opa_malloc: (bytes: number) => number;
  readonly opa_json_parse: (address: number, bytes: number) => number;
  readonly opa_json_dump: (value: number) => number;
  readonly opa_heap_ptr_get: () => number;
  readonly opa_eval: (ctx: number, entrypoint: number, data: number, input: number, bytes: number, heap: number, format: number) => number;
  readonly builtins: () => number;
  readonly entrypoints: () => number;
  readonly opa_wasm_abi_version: WasmGlobal;
  readonly opa_wasm_abi_minor_version: WasmGlobal;
  readonly [FUEL_EXPORT]: WasmGlobal;
  readonly [STACK_EXPORT]: WasmGlobal;
}

/** What `opa_abort` said. */
class PolicyAbort extends Error {}

export class MemoryExceeded extends Error {}

export class PolicyInstance {
  readonly #memory: WasmMemory;
  readonly #exports: PolicyExports;
  readonly #host: ReadonlyMap<number, { readonly name: string; readonly call: HostBuiltin }>;
  readonly #stackBase: number;
  readonly #pagesMax: number;
  readonly #dataAddress: number;
  readonly #heapBase: number;
  readonly entrypoints: Readonly<Record<string, number>>;
  #view: Buffer;

  constructor(module: WasmModule, data: string, pagesMax: number) {
    const dataBytes = Buffer.byteLength(data);
    this.#pagesMax = pagesMax;
    this.#memory = new Wasm.Memory({ initial: Math.min(pagesMax, 2 + Math.ceil(dataBytes / PAGE_BYTES)), maximum: pagesMax });
    this.#view = Buffer.from(this.#memory.buffer);
    const builtin = (id: number, _ctx: number, ...args: number[]): number => this.#callHost(id, args);
    const env = { memory: this.#memory, opa_abort: (at: number) => this.#abort(at), opa_println: () => {} };
    const imports = {
      env: { ...env, opa_builtin0: builtin, opa_builtin1: builtin, opa_builtin2: builtin, opa_builtin3: builtin, opa_builtin4: builtin },
    };
    this.#exports = new Wasm.Instance(module, imports).exports as unknown as PolicyExports;
    this.#checkAbi();
    this.#stackBase = this.#exports[STACK_EXPORT].value as number;
    this.#exports[FUEL_EXPORT].value = FUEL_UNITS_LOAD;
    this.entrypoints = this.#dump(this.#exports.entrypoints()) as Record<string, number>;
    this.#host = hostTable(this.#dump(this.#exports.builtins()) as Record<string, number>);
    this.#dataAddress = this.#load(data, dataBytes);
    this.#heapBase = this.#exports.opa_heap_ptr_get();
  }

  get pages(): number {
    return this.#memory.buffer.byteLength / PAGE_BYTES;
  }

  get fuelLeft(): number {
    return this.#exports[FUEL_EXPORT].value as number;
  }

  evaluate(entrypoint: number, input: string, fuelUnits: number): string {
    this.#exports[FUEL_EXPORT].value = fuelUnits;
    // at most three bytes a UTF-16 unit; counting exactly costs more than the room
    const roomBytes = input.length * 3;
    this.#reserve(this.#heapBase + roomBytes);
    const bytes = this.#memoryView().write(input, this.#heapBase, 'utf8');
    const result = this.#exports.opa_eval(0, entrypoint, this.#dataAddress, this.#heapBase, bytes, this.#heapBase + bytes, 0);
    return this.#text(result);
  }

  restoreStack(): void {
    this.#exports[STACK_EXPORT].value = this.#stackBase;
  }

  #checkAbi(): void {
    const major: unknown = this.#exports.opa_wasm_abi_version.value;
    const minor: unknown = this.#exports.opa_wasm_abi_minor_version.value;
    if (major !== ABI_MAJOR || !(Number(minor) >= ABI_MINOR_MIN)) throw new Error(`the policy has WASM ABI ${String(major)}.${String(minor)}`);
  }

  /** memory.grow past the cap would be a RangeError in here, not an abort in there. */
  #reserve(end: number): void {
    const missing = Math.ceil((end - this.#memory.buffer.byteLength) / PAGE_BYTES);
    if (missing <= 0) return;
    if (this.pages + missing > this.#pagesMax) throw new MemoryExceeded(`the input needs more than ${this.#pagesMax * PAGE_BYTES} bytes`);
    this.#memory.grow(missing);
  }

  #load(json: string, bytes: number): number {
    const at = this.#exports.opa_malloc(bytes);
    this.#memoryView().write(json, at, 'utf8');
    const value = this.#exports.opa_json_parse(at, bytes);
    if (value === 0) throw new Error('a value handed to the policy is not JSON');
    return value;
  }

  #callHost(id: number, args: readonly number[]): number {
    const fuel = this.#exports[FUEL_EXPORT];
    const builtin = this.#host.get(id);
    if (!builtin) throw new Error(`the policy calls builtin ${id}, which it did not declare`);
    const result = builtin.call(...args.map((address) => this.#dump(address)));
    if (result === undefined) return 0;
    const json = JSON.stringify(result);
    // cannot be stopped half way: charge what it cost, and let the next probe trap
    fuel.value = Math.max((fuel.value as number) - BUILTIN_FUEL_UNITS - json.length, -1);
    return this.#load(json, Buffer.byteLength(json));
  }

  #dump(value: number): unknown {
    return JSON.parse(this.#text(this.#exports.opa_json_dump(value)), exact);
  }

  #text(address: number): string {
    const view = this.#memoryView();
    return view.toString('utf8', address, view.indexOf(0, address));
  }

  #abort(address: number): never {
    throw new PolicyAbort(this.#text(address));
  }

  #memoryView(): Buffer {
    if (this.#view.buffer !== this.#memory.buffer) this.#view = Buffer.from(this.#memory.buffer);
    return this.#view;
  }
}

/** At load, not at the first call: every builtin that the module declares must be ours. */
function hostTable(declared: Readonly<Record<string, number>>): ReadonlyMap<number, { name: string; call: HostBuiltin }> {
  return new Map(
    Object.entries(declared).map(([name, id]) => {
      const call = Object.hasOwn(HOST_BUILTINS, name) ? HOST_BUILTINS[name] : undefined;
      if (!call) throw new Error(`the policy needs builtin ${name}, which the host does not supply`);
      return [id, { name, call }];
    }),
  );
}

/** Keeps the digits of numbers that a double would round. */
function exact(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || context?.source === undefined || String(value) === context.source) return value;
  return new ExactNumber(context.source);
}
