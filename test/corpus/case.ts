/** The record format of the corpus (SECURITY §2.2), as far as PostgreSQL cases use it. */
import { readFileSync } from 'node:fs';

export type Expected = 'must-not-allow' | 'must-mask' | 'must-allow';
export type Mode = 'simple' | 'extended' | 'steps';

/** One wire message: `P` name text, `B` portal statement params, `D` P|S name, `E` portal rows, `C` P|S name, `Q` text, `d` data, `c`, `f` reason, `S`, `H`, `X`, `Braw`. */
export type WireMessage = readonly [type: string, ...fields: readonly (string | number | readonly (string | null)[])[]];

export interface Step {
  readonly sql?: string;
  readonly mode?: 'simple' | 'extended';
  readonly params?: readonly (string | null)[];
  readonly result_format?: number;
  readonly describe?: boolean;
  readonly copy_in?: string;
  /** A Query message whose text is these bytes. */
  readonly hex?: string;
  /** Bytes sent as they are. */
  readonly raw?: string;
  /** `name(types)`, called by FunctionCall. */
  readonly fastpath?: string;
  readonly args?: readonly string[];
  readonly wire?: readonly WireMessage[];
  /** How many ReadyForQuery answer this step. */
  readonly ready?: number;
  /** A CancelRequest with the key of the connection of this name. */
  readonly cancel?: string;
  readonly conn?: string;
  /** The step that must be stopped. */
  readonly target?: boolean;
  readonly optional?: boolean;
  readonly cleanup?: boolean;
  /** How the bytes of the step are cut into segments; by a mutation. */
  readonly chunk?: number;
  /** Sent in the same segment before the step, with its own ReadyForQuery; by a mutation. */
  readonly before?: string;
}

export interface CorpusCase {
  readonly id: string;
  readonly protocol: string;
  readonly payload: string;
  readonly intent: string;
  readonly expected: Expected;
  readonly why: string;
  readonly modes: readonly Mode[];
  readonly tags?: readonly string[];
  readonly steps?: readonly Step[];
  readonly startup?: readonly (readonly [string, string])[];
  readonly target_role?: string;
  /** True means that the forbidden effect happened. */
  readonly effect_sql?: string;
  readonly effect_scope?: 'admin' | 'session';
  readonly server_rejects?: boolean;
  readonly channel?: string;
  readonly leak_text?: readonly string[];
  readonly leak_hex?: readonly string[];
  readonly expect_contains?: readonly string[];
  readonly masked_columns?: readonly string[];
}

/** One case in one mode, mutated or not: what a single run does. */
export interface Run {
  readonly case: CorpusCase;
  readonly mode: Mode;
  readonly mutation: string | null;
  readonly steps: readonly Step[];
}

/** @throws Error naming file and line of what is not a record */
export function loadCases(file: string): CorpusCase[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line, index) => {
      if (line.trim() === '') return [];
      let record: CorpusCase;
      try {
        record = JSON.parse(line) as CorpusCase;
      } catch (error) {
        throw new Error(`${file}:${index + 1}: not JSON`, { cause: error });
      }
      for (const field of ['id', 'protocol', 'payload', 'intent', 'expected', 'modes'] as const) {
        if (record[field] === undefined) throw new Error(`${file}:${index + 1}: \`${field}\` is missing`);
      }
      if (record.protocol !== 'postgresql') throw new Error(`${file}:${index + 1}: protocol \`${record.protocol}\` is not run here`);
      return [record];
    });
}

/** Every mode that a case names. */
export function runsOf(record: CorpusCase, only?: 'simple' | 'extended'): Run[] {
  return record.modes
    .filter((mode) => only === undefined || mode === only || mode === 'steps')
    .map((mode) => ({
      case: record,
      mode,
      mutation: null,
      steps: mode === 'steps' ? (record.steps ?? []) : [{ sql: record.payload, mode, target: true }],
    }));
}

/** A copy of steps in which `{{NAME}}` is filled in, wherever it stands. */
export function filled<T>(value: T, places: Readonly<Record<string, string>>): T {
  const fill = (text: string): string => text.replaceAll(/\{\{([A-Z]+)\}\}/g, (whole, name: string) => places[name] ?? whole);
  const walk = (part: unknown): unknown => {
    if (typeof part === 'string') return fill(part);
    if (Array.isArray(part)) return part.map(walk);
    if (part !== null && typeof part === 'object') return Object.fromEntries(Object.entries(part).map(([key, inner]) => [key, walk(inner)]));
    return part;
  };
  return walk(value) as T;
}

export const leaksOf = (record: CorpusCase): { texts: string[]; hexes: string[] } => ({
  texts: [...(record.leak_text ?? []), ...tagged(record, 'leak:')],
  hexes: [...(record.leak_hex ?? []), ...tagged(record, 'leak-hex:')],
});

const tagged = (record: CorpusCase, prefix: string): string[] =>
  (record.tags ?? []).filter((tag) => tag.startsWith(prefix)).map((tag) => tag.slice(prefix.length));
