/** Puts an upper bound on the memory that a module defines: Go's compiler writes none, and then only 4 GiB end its growth. */
import { u32, WasmReader } from './wasm-reader.ts';

const MEMORY_SECTION = 5;
const NO_MAXIMUM = 0x00;
const WITH_MAXIMUM = 0x01;

/** `memory.grow` fails beyond it. Section: https://webassembly.github.io/spec/core/binary/modules.html#memory-section @throws Error when the module is another than one with one unbounded memory of its own */
export function withMemoryMax(wasm: Uint8Array, pagesMax: number): Uint8Array {
  const reader = new WasmReader(wasm, 8);
  while (reader.at < wasm.length) {
    const head = reader.at;
    const id = reader.byte();
    const length = reader.u32();
    const body = reader.at;
    reader.skip(length);
    if (id !== MEMORY_SECTION) continue;
    const inner = new WasmReader(wasm, body, reader.at);
    const count = inner.u32();
    const limits = inner.byte();
    const pages = inner.u32();
    if (count !== 1 || limits !== NO_MAXIMUM || pages > pagesMax)
      throw new Error('the module has another memory than one that may grow without bound');
    const bounded = [...u32(1), WITH_MAXIMUM, ...u32(pages), ...u32(pagesMax)];
    return Buffer.concat([wasm.subarray(0, head), Uint8Array.from([MEMORY_SECTION, ...u32(bounded.length), ...bounded]), wasm.subarray(reader.at)]);
  }
  throw new Error('the module has no memory of its own');
}
