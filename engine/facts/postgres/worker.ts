/** The thread that reads long texts. It may be killed at any moment. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Catalog } from '#schemas/catalog';
import type { Answer, Question } from './bounded-worker.ts';
import { unparsed } from './facts.ts';
import { isParserMajor, Parser } from './parser.ts';
import { readText } from './read-text.ts';

const port = parentPort;
if (port === null) throw new Error('worker.ts is opened as a worker thread');
const { majors } = workerData as { readonly majors: readonly number[] };
const parsers = new Map<number, Parser>();
for (const major of majors) if (isParserMajor(major)) parsers.set(major, await Parser.open(major));
// what runs for the first time is compiled first: that is not the text's fault, and its deadline is short
const WARM_UP = Buffer.from(
  "WITH a AS (SELECT max(x), 'y' FROM t JOIN u USING (id) WHERE b IN (1, 2)) INSERT INTO s SELECT * FROM a ORDER BY 1 LIMIT 2",
);
for (const parser of parsers.values()) readText(parser, WARM_UP, { major: parser.major, database: '', settings: {}, catalog: null });
let catalog: Catalog | null = null;

port.on('message', (question: Question) => {
  if (question.kind === 'catalog') catalog = question.catalog;
  else void answer(question);
});
port.postMessage({ kind: 'ready' } satisfies Answer);

async function answer(question: Extract<Question, { kind: 'read' }>): Promise<void> {
  const { id, text, context } = question;
  const parser = parsers.get(context.major);
  await parser?.ready();
  const facts = parser === undefined ? null : readText(parser, text, { ...context, catalog: question.catalog === null ? null : catalog });
  const told = facts ?? unparsed(context.major, { code: 'unsupported', detail: `no grammar of PostgreSQL ${context.major}` });
  port?.postMessage({ kind: 'facts', id, facts: told } satisfies Answer);
}
