/**
 * PostgreSQL's own grammar, one WASM build a server major (M2). Around libpg_query 15-4.2.4 and 17-6.x:
 * a NUL would end the text silently, deep left chains overflow the WASM stack and leave an instance behind whose later parses
 * fail. So ill-formed text is refused before it is handed over, and an instance in which anything was thrown is dropped for its spare.
 */
import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** A node as libpg_query prints it: `{"SelectStmt": {…}}`, or the bare fields where the type is fixed. Zero values are left out. */
export type Fields = Readonly<Record<string, unknown>>;

export interface RawStatement {
  readonly stmt: Fields;
  /** UTF-8 byte offset; absent: 0. */
  readonly stmt_location?: number;
  /** Bytes; absent: to the end of the text. */
  readonly stmt_len?: number;
}

export interface ParseTree {
  readonly version: number;
  readonly stmts: readonly RawStatement[];
}

export const PARSER_MAJORS = [15, 17] as const;
export type ParserMajor = (typeof PARSER_MAJORS)[number];

export function isParserMajor(major: number): major is ParserMajor {
  return (PARSER_MAJORS as readonly number[]).includes(major);
}

/** Why there is no tree. `unavailable`: the spare is not ready yet; await `ready()` and parse again. */
export class ParseFailure extends Error {
  readonly code: 'syntax' | 'encoding' | 'budget' | 'unavailable';
  /** UTF-8 byte offset of a syntax error. */
  readonly position: number | null;
  constructor(code: ParseFailure['code'], message: string, position: number | null = null, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ParseFailure';
    this.code = code;
    this.position = position;
  }
}

/** The few names of the WebAssembly global that are used here; the compiler's own declarations come with the whole DOM. */
interface WasmInstance {
  readonly exports: unknown;
}
const wasm = (
  globalThis as unknown as {
    readonly WebAssembly: {
      readonly Module: new (bytes: Uint8Array) => object;
      readonly Instance: new (module: object, imports: object) => WasmInstance;
    };
  }
).WebAssembly;

/** What emscripten's module object offers. */
interface Instance {
  readonly HEAPU8: Uint8Array;
  readonly HEAPU32: Uint32Array;
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  _wasm_parse_query_raw(text: number): number;
  _wasm_free_parse_result(result: number): void;
}
type Factory = (options: {
  instantiateWasm(imports: object, done: (instance: WasmInstance, module: object) => void): unknown;
  print(line: string): void;
  printErr(line: string): void;
}) => Promise<Instance>;

/** Linear memory starts at 128 MiB, untouched pages cost nothing; an instance that grew is replaced, because memory never shrinks. */
const HEAP_BYTES_MAX = 160 * 1024 * 1024;

/** The tree of a longer text is not kept. */
const REMEMBERED_BYTES_MAX = 4_096;

export class Parser {
  readonly major: ParserMajor;
  #instance: Instance | null;
  #spare: Instance | null = null;
  #filling: Promise<void> | null = null;
  /** A text is read for its facts and then for its masks: the second reader gets the same tree. Nobody changes a tree. */
  #last: { readonly bytes: Uint8Array; readonly tree: ParseTree } | null = null;

  private constructor(major: ParserMajor, instance: Instance) {
    this.major = major;
    this.#instance = instance;
  }

  static async open(major: ParserMajor): Promise<Parser> {
    const parser = new Parser(major, await instantiate(major));
    await parser.#fill();
    return parser;
  }

  /**
   * The tree of a whole text (bytes are read, not kept). Runs to its end: give it short texts, or call it where it can be killed.
   * @throws ParseFailure, nothing else.
   */
  parse(text: string | Uint8Array): ParseTree {
    const bytes = wellFormed(text);
    if (bytes.length === 0) return { version: this.major * 10_000, stmts: [] }; // the build answers a null pointer to it
    if (this.#last !== null && Buffer.compare(this.#last.bytes, bytes) === 0) return this.#last.tree;
    const instance = this.#take();
    let answer: Answer;
    try {
      answer = call(instance, bytes);
    } catch (cause) {
      this.#drop();
      throw new ParseFailure('budget', 'the parser ran out of its bounds', null, cause);
    }
    if (instance.HEAPU8.length > HEAP_BYTES_MAX) this.#drop();
    if (!answer.ok) {
      throw new ParseFailure('syntax', answer.message, answer.cursor === 0 ? null : byteOffset(bytes, answer.cursor - 1));
    }
    try {
      const tree = JSON.parse(answer.json) as ParseTree;
      this.#last = bytes.length > REMEMBERED_BYTES_MAX ? null : { bytes: Uint8Array.from(bytes), tree };
      return tree;
    } catch (cause) {
      throw new ParseFailure('budget', 'the syntax tree cannot be read', null, cause);
    }
  }

  /** Whether `parse` would find an instance. */
  get available(): boolean {
    return this.#instance !== null || this.#spare !== null;
  }

  /** Resolves when an instance and its spare stand ready. */
  async ready(): Promise<void> {
    while (this.#spare === null) await this.#fill();
  }

  #take(): Instance {
    if (this.#instance === null) {
      this.#instance = this.#spare;
      this.#spare = null;
      void this.#fill();
    }
    if (this.#instance === null) throw new ParseFailure('unavailable', 'the parser is being replaced');
    return this.#instance;
  }

  #drop(): void {
    this.#instance = null;
    void this.#fill();
  }

  #fill(): Promise<void> {
    this.#filling ??= instantiate(this.major).then((fresh) => {
      this.#filling = null;
      if (this.#instance === null) this.#instance = fresh;
      else this.#spare = fresh;
    });
    return this.#filling;
  }
}

const encoder = new TextEncoder();

function wellFormed(text: string | Uint8Array): Uint8Array {
  if (typeof text === 'string') {
    if (!text.isWellFormed()) throw new ParseFailure('encoding', 'the text has a lone surrogate');
    return withoutNul(encoder.encode(text));
  }
  if (!isUtf8(text)) throw new ParseFailure('encoding', 'the text is not well-formed UTF-8');
  return withoutNul(text);
}

function withoutNul(bytes: Uint8Array): Uint8Array {
  const nul = bytes.indexOf(0);
  if (nul >= 0) throw new ParseFailure('encoding', 'the text contains NUL', nul);
  return bytes;
}

type Answer = { readonly ok: true; readonly json: string } | { readonly ok: false; readonly message: string; readonly cursor: number };

/**
 * struct PgQueryParseResult { char *parse_tree; char *stderr_buffer; PgQueryError *error; }
 * struct PgQueryError { char *message, *funcname, *filename; int lineno, cursorpos; char *context; }
 */
function call(instance: Instance, bytes: Uint8Array): Answer {
  const text = instance._malloc(bytes.length + 1);
  if (text === 0) throw new RangeError('out of WASM memory');
  instance.HEAPU8.set(bytes, text);
  instance.HEAPU8[text + bytes.length] = 0;
  const result = instance._wasm_parse_query_raw(text);
  if (result === 0) throw new RangeError('out of WASM memory');
  const tree = word(instance, result);
  const error = word(instance, result + 8);
  const answer: Answer =
    error === 0
      ? { ok: true, json: cString(instance, tree) }
      : { ok: false, message: cString(instance, word(instance, error)), cursor: word(instance, error + 16) };
  instance._free(text);
  instance._wasm_free_parse_result(result);
  return answer;
}

function word(instance: Instance, pointer: number): number {
  return instance.HEAPU32[pointer >>> 2] ?? 0;
}

function cString(instance: Instance, pointer: number): string {
  if (pointer === 0) throw new RangeError('no result');
  const heap = instance.HEAPU8;
  const end = heap.indexOf(0, pointer);
  return Buffer.from(heap.buffer, heap.byteOffset + pointer, end - pointer).toString('utf8');
}

/** The server counts characters; we count bytes. */
function byteOffset(bytes: Uint8Array, characters: number): number {
  let offset = 0;
  for (let left = characters; left > 0 && offset < bytes.length; left -= 1) {
    offset += 1;
    while (((bytes[offset] ?? 0) & 0xc0) === 0x80) offset += 1;
  }
  return offset;
}

const requireHere = createRequire(import.meta.url);
const modules = new Map<ParserMajor, object>();

/** About 7 ms from the compiled module. */
function instantiate(major: ParserMajor): Promise<Instance> {
  const module = modules.get(major) ?? new wasm.Module(readFileSync(requireHere.resolve(`libpg-query-${major}/wasm/libpg-query.wasm`)));
  modules.set(major, module);
  const factory = requireHere(`libpg-query-${major}/wasm/libpg-query.js`) as Factory;
  return factory({
    instantiateWasm(imports, done) {
      const instance = new wasm.Instance(module, imports);
      done(instance, module);
      return instance.exports;
    },
    // it would write parser warnings, with text of the statement, to our standard streams
    print: () => undefined,
    printErr: () => undefined,
  });
}
