/** Text → facts: in this thread where it is fast, in a worker that can be killed where it may be hostile (DESIGN §4). Total: nothing throws for what a text is. */
import type { Catalog } from '#schemas/catalog';
import type { SqlFacts } from '#schemas/sql-facts';
import { BoundedWorker, type WorkerBounds } from './bounded-worker.ts';
import { ByteCache } from './cache.ts';
import { type TextContext, unparsed } from './facts.ts';
import { isParserMajor, Parser } from './parser.ts';
import { mayParseInline } from './prescan.ts';
import { readText } from './read-text.ts';

export { paramsThatFlowToCode } from './flow.ts';
export type { TextContext } from './facts.ts';

export interface PostgresFactsOptions {
  /** Grammars to load; a text of another major is refused (M2). */
  readonly majors: readonly number[];
  /** Parsers that stand open already, to be shared; by default its own are opened. */
  readonly parsers?: readonly Parser[];
  readonly cacheBytesMax?: number;
  readonly worker?: Partial<WorkerBounds>;
}

const CACHE_BYTES_MAX = 24 * 1024 * 1024;
const WORKER_BOUNDS: WorkerBounds = { deadlineMs: 250, heapMiB: 256, queueMax: 32, queueBytesMax: 32 * 1024 * 1024 };
/** Longer texts are hardly sent twice. */
const CACHED_TEXT_BYTES_MAX = 256 * 1024;

export class PostgresFacts {
  readonly #parsers = new Map<number, Parser>();
  readonly #opening: Promise<void>;
  readonly #majors: ReadonlySet<number>;
  readonly #cache: ByteCache<SqlFacts>;
  readonly #worker: BoundedWorker;
  readonly #catalogs = new WeakMap<Catalog, number>();
  #catalogIds = 0;
  /** Contexts come as the same objects again and again. */
  readonly #prefixes = new WeakMap<object, Map<string, string>>();

  constructor(options: PostgresFactsOptions) {
    const majors = options.majors.filter(isParserMajor);
    this.#majors = new Set(majors);
    this.#cache = new ByteCache(options.cacheBytesMax ?? CACHE_BYTES_MAX);
    this.#worker = new BoundedWorker(majors, { ...WORKER_BOUNDS, ...options.worker });
    for (const parser of options.parsers ?? []) this.#parsers.set(parser.major, parser);
    const missing = majors.filter((major) => !this.#parsers.has(major));
    this.#opening = Promise.all(missing.map(async (major) => void this.#parsers.set(major, await Parser.open(major)))).then(() => undefined);
  }

  /** Resolves once short texts are read without waiting; long ones soon after. A gateway calls it at start, a command that reads once does not. */
  ready(): Promise<void> {
    this.#worker.start();
    return this.#opening;
  }

  /** The same object for the same bytes and context, while the cache has it. */
  read(text: Uint8Array, context: TextContext): SqlFacts | Promise<SqlFacts> {
    const key = text.length > CACHED_TEXT_BYTES_MAX ? null : `${this.#prefix(context)}${latin1(text)}`;
    const known = key === null ? undefined : this.#cache.get(key);
    if (known !== undefined) return known;
    const fresh = this.#fresh(text, context);
    if (!(fresh instanceof Promise)) return this.#keep(key, fresh);
    return fresh.then((facts) => this.#keep(key, facts));
  }

  close(): Promise<void> {
    return this.#worker.close();
  }

  #fresh(text: Uint8Array, context: TextContext): SqlFacts | Promise<SqlFacts> {
    if (!this.#majors.has(context.major))
      return unparsed(context.major, { code: 'unsupported', detail: `no grammar of PostgreSQL ${context.major}` });
    const unsound = unsoundSetting(context.settings);
    if (unsound !== null) return unparsed(context.major, { code: 'encoding', detail: unsound });
    if (!mayParseInline(text)) return this.#worker.read(text, context);
    const parser = this.#parsers.get(context.major);
    if (parser === undefined) {
      const copy = Uint8Array.from(text);
      return this.#opening.then(() => this.#fresh(copy, context));
    }
    return readText(parser, text, context) ?? this.#worker.read(text, context);
  }

  /** What the process ran out of may be there next time: only answers about the text itself are kept. */
  #keep(key: string | null, facts: SqlFacts): SqlFacts {
    const lasting = facts.parsed || !facts.opaque.some((entry) => entry.code === 'budget');
    if (key !== null && lasting) this.#cache.set(key, facts, sizeOf(key, facts));
    return facts;
  }

  /** Everything beside the text that decides how it is read. */
  #prefix(context: TextContext): string {
    const { settings, catalog, major, database } = context;
    let known = this.#prefixes.get(settings);
    if (known === undefined) this.#prefixes.set(settings, (known = new Map()));
    const rest = `${major} ${catalog === null ? 0 : this.#catalogId(catalog)} ${database}`;
    let prefix = known.get(rest);
    if (prefix === undefined) {
      if (known.size > 64) known.clear();
      prefix = `${rest}\0${READ_SETTINGS.map((name) => settings[name] ?? '\x01').join('\0')}\0`;
      known.set(rest, prefix);
    }
    return prefix;
  }

  #catalogId(catalog: Catalog): number {
    const known = this.#catalogs.get(catalog);
    if (known !== undefined) return known;
    this.#catalogIds += 1;
    this.#catalogs.set(catalog, this.#catalogIds);
    return this.#catalogIds;
  }
}

/** Settings that change what a text means to the server. */
const READ_SETTINGS = ['search_path', 'standard_conforming_strings', 'client_encoding', 'transform_null_equals'];

/** P15, P16: the gateway pins these; where they are not as the parser has them, the server would read another text. */
function unsoundSetting(settings: Readonly<Record<string, string>>): string | null {
  if ((settings['standard_conforming_strings'] ?? 'on') !== 'on')
    return 'standard_conforming_strings is off: the server reads backslashes differently';
  if (!/^utf-?8$/i.test(settings['client_encoding'] ?? 'UTF8')) return 'client_encoding is not UTF8: the server reads other characters';
  return null;
}

function latin1(text: Uint8Array): string {
  return Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString('latin1');
}

/** Bytes, roughly: entries measured on the heap, with what others remember of the same statement. */
function sizeOf(key: string, facts: SqlFacts): number {
  const columns = facts.statements.reduce((sum, { columns: uses, output, functions }) => sum + uses.length + output.length + functions.length, 0);
  return 2 * key.length + 3_000 + 600 * facts.statements.length + 250 * facts.effects.length + 160 * columns + 120 * facts.opaque.length;
}
