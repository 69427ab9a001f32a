/** The cases of sentences.yaml, told. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { sentenceOf } from '#engine/approvals/sentence';
import type { openFacts } from './facts.ts';
import { catalogOf, type RelationSketch } from './facts-catalog.ts';

export interface SentenceCase {
  readonly sql: string;
  readonly says: string;
  readonly rows?: number;
  /** `int4 42` */
  readonly params?: readonly string[];
  readonly settings?: Readonly<Record<string, string>>;
  readonly catalog?: readonly RelationSketch[];
}

export function sentenceCases(): readonly SentenceCase[] {
  return parse(readFileSync(new URL('../cases/sentences.yaml', import.meta.url), 'utf8')) as SentenceCase[];
}

export interface Told {
  readonly parsed: boolean;
  readonly says: string;
  /** What it does, for comparing: never in the sentence. */
  readonly effects: string;
}

export async function tell(
  facts: ReturnType<typeof openFacts>,
  { sql, rows, params, settings, catalog }: Omit<SentenceCase, 'says'>,
  options?: Parameters<typeof sentenceOf>[1],
): Promise<Told> {
  const read = await facts.read(sql, {
    major: 17,
    ...(settings === undefined ? {} : { settings }),
    ...(catalog === undefined ? {} : { catalog: catalogOf(...catalog) }),
  });
  const listed = params?.map((param, index) => {
    const [type = '', value = ''] = param.split(/ (.*)/s);
    return { index: index + 1, type, value, encoding: 'text', flows_to_code: false };
  });
  const says = sentenceOf(
    {
      facts: read,
      payload: { bytes: Buffer.from(sql), media: 'text' },
      params: listed === undefined ? null : { bytes: Buffer.from(JSON.stringify(listed)), media: 'params' },
      transaction: 'idle',
      objects: [],
      ...(rows === undefined ? {} : { estimate: { state: 'ok', rows } }),
    },
    options,
  );
  const effects = read.effects.map(({ verb, object, via }) => JSON.stringify([verb, object.qualified, via]));
  return { parsed: read.parsed, says, effects: [...new Set(effects)].toSorted().join() };
}
