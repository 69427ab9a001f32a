/** Evaluates one policy module with fuel and a memory cap, and survives what is thrown through it. Why not the npm package: engine/adr/0004-own-loader.md. */
import type { ErrorCode } from '#schemas/errors';
import { FUEL_UNITS_MAX } from './meter.ts';
import { MemoryExceeded, PolicyInstance } from './policy-instance.ts';
import type { WasmModule } from './wasm-api.ts';

/** 32 MiB: data and one evaluation together. */
export const MEMORY_PAGES_MAX = 512;
/** Memory is a high-water mark and never shrinks: above this the instance is replaced. */
const MEMORY_PAGES_REPLACE = 384;
/** Each throw is repaired; now and then start afresh all the same. */
const THROWS_MAX = 1_000;

export type Evaluation =
  | { readonly ok: true; readonly text: string; readonly fuelUnits: number }
  | { readonly ok: false; readonly code: ErrorCode; readonly detail: string };

export interface MachineLimits {
  readonly fuelUnits: number;
  readonly memoryPages: number;
}
export const MACHINE_LIMITS: MachineLimits = { fuelUnits: FUEL_UNITS_MAX, memoryPages: MEMORY_PAGES_MAX };

/** One instance with its own memory; one evaluation at a time, by being synchronous. */
export class PolicyMachine {
  readonly #module: WasmModule;
  readonly #data: string;
  readonly #limits: MachineLimits;
  #instance!: PolicyInstance;
  #throws = 0;

  /** @param data JSON text @throws Error when the module is not one that we can run */
  constructor(module: WasmModule, data: string, limits: MachineLimits = MACHINE_LIMITS) {
    this.#module = module;
    this.#data = data;
    this.#limits = limits;
    this.#renew();
  }

  /** Entrypoints by name. */
  get entrypoints(): Readonly<Record<string, number>> {
    return this.#instance.entrypoints;
  }

  /** @param input always the output of JSON.stringify: text that is not JSON would be an undefined input, and no deny would fire. Never throws. */
  evaluate(entrypoint: number, input: string): Evaluation {
    try {
      const text = this.#instance.evaluate(entrypoint, input, this.#limits.fuelUnits);
      return { ok: true, text, fuelUnits: this.#limits.fuelUnits - this.#instance.fuelLeft };
    } catch (error) {
      return { ok: false, ...this.#explain(error) };
    } finally {
      this.#repair();
    }
  }

  #explain(error: unknown): { code: ErrorCode; detail: string } {
    this.#throws++;
    const detail = error instanceof Error ? error.message : String(error);
    if (this.#instance.fuelLeft < 0) return { code: 'BUDGET_POLICY', detail: `more than ${this.#limits.fuelUnits} units of fuel` };
    if (error instanceof MemoryExceeded || detail.startsWith('opa_malloc')) return { code: 'BUDGET_POLICY_MEMORY', detail };
    if (error instanceof RangeError) return { code: 'BUDGET_POLICY', detail };
    if (detail.includes('conflict')) return { code: 'POLICY_CONFLICT', detail };
    return { code: 'POLICY_UNAVAILABLE', detail };
  }

  /** Whatever was thrown has left the shadow stack where it was: without this, 511 conflicts end all judging. */
  #repair(): void {
    this.#instance.restoreStack();
    if (this.#throws < THROWS_MAX && this.#instance.pages < Math.min(MEMORY_PAGES_REPLACE, this.#limits.memoryPages)) return;
    this.#renew();
  }

  #renew(): void {
    this.#instance = new PolicyInstance(this.#module, this.#data, this.#limits.memoryPages);
    this.#throws = 0;
  }
}
