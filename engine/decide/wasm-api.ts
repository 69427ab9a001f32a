/** The part of the WebAssembly JavaScript API that we use; @types/node does not declare it. https://webassembly.github.io/spec/js-api/ */

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}
export interface WasmGlobal {
  value: number;
}
export type WasmModule = { readonly [kind in 'wasm-module']: never };

interface Api {
  readonly Memory: new (limits: { readonly initial: number; readonly maximum: number }) => WasmMemory;
  readonly Module: new (bytes: Uint8Array) => WasmModule;
  readonly Instance: new (module: WasmModule, imports: object) => { readonly exports: object };
  readonly compile: (bytes: Uint8Array) => Promise<WasmModule>;
}

export const Wasm: Api = (globalThis as unknown as { WebAssembly: Api }).WebAssembly;
