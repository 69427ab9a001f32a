/** Just enough of the WebAssembly core format to insert instructions: https://webassembly.github.io/spec/core/binary/ */

/** What follows an opcode. An opcode that is not here refuses the build: nothing runs that we cannot count. */
type Immediate = 'none' | 'block' | 'index' | 'two' | 'table' | 'byte' | 'f32' | 'f64';

const IMMEDIATES: readonly (Immediate | undefined)[] = immediates();

export const OP = { block: 0x02, loop: 0x03, call: 0x10, callIndirect: 0x11, globalSet: 0x24 } as const;

function immediates(): readonly (Immediate | undefined)[] {
  const table: (Immediate | undefined)[] = Array.from({ length: 256 });
  const set = (kind: Immediate, from: number, to: number = from): void => void table.fill(kind, from, to + 1);
  set('none', 0x00, 0x01); // unreachable, nop
  set('block', 0x02, 0x04); // block, loop, if
  set('none', 0x05); // else
  set('none', 0x0b); // end
  set('index', 0x0c, 0x0d); // br, br_if
  set('table', 0x0e); // br_table
  set('none', 0x0f); // return
  set('index', 0x10); // call
  set('two', 0x11); // call_indirect
  set('none', 0x1a, 0x1b); // drop, select
  set('index', 0x20, 0x24); // locals and globals
  set('two', 0x28, 0x3e); // loads and stores
  set('byte', 0x3f, 0x40); // memory.size, memory.grow
  set('index', 0x41, 0x42); // i32.const, i64.const: LEB128 too
  set('f32', 0x43);
  set('f64', 0x44);
  set('none', 0x45, 0xc4); // comparisons, arithmetic, conversions, sign extension
  return table;
}

/** A cursor over a module's bytes. Throws RangeError-like errors on anything that does not fit: the build is then refused. */
export class WasmReader {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;

  constructor(bytes: Uint8Array, at: number = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  byte(): number {
    if (this.at >= this.end) throw new Error(`the WASM ends inside an item at byte ${this.at}`);
    return this.bytes[this.at++] as number;
  }

  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const next = this.byte();
      value += (next & 0x7f) * 2 ** shift;
      if (next < 0x80) return value;
    }
    throw new Error(`a number of the WASM is too long at byte ${this.at}`);
  }

  name(): string {
    const length = this.u32();
    this.skip(length);
    return Buffer.from(this.bytes.subarray(this.at - length, this.at)).toString('utf8');
  }

  skip(count: number): void {
    this.at += count;
    if (this.at > this.end) throw new Error(`the WASM ends inside an item at byte ${this.at}`);
  }

  /** Steps over one instruction and says which it was; for `call` and `global.set` with the index. */
  instruction(): { readonly opcode: number; readonly operand: number } {
    const opcode = this.byte();
    const kind = IMMEDIATES[opcode];
    if (kind === undefined) throw new Error(`the WASM has opcode 0x${opcode.toString(16)}, which the meter does not know, at byte ${this.at - 1}`);
    let operand = 0;
    if (kind === 'index') operand = opcode === OP.call || opcode === OP.globalSet ? this.u32() : this.leb();
    else if (kind === 'block') this.leb();
    else if (kind === 'two') void (this.u32(), this.u32());
    else if (kind === 'table') for (let left = this.u32() + 1; left > 0; left--) this.u32();
    else if (kind === 'byte') this.byte();
    else if (kind === 'f32') this.skip(4);
    else if (kind === 'f64') this.skip(8);
    return { opcode, operand };
  }

  /** Steps over a signed or long LEB128 whose value does not matter. */
  private leb(): number {
    for (let length = 0; length < 10; length++) if (this.byte() < 0x80) return 0;
    throw new Error(`a number of the WASM is too long at byte ${this.at}`);
  }
}

export function u32(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return bytes;
}

export function vectorName(text: string): number[] {
  const bytes = [...Buffer.from(text, 'utf8')];
  return [...u32(bytes.length), ...bytes];
}
