/** The thread that parses long texts to be masked. It may be killed at any moment. */
import { parentPort, workerData } from 'node:worker_threads';
import { isParserMajor, ParseFailure, Parser } from '../parser.ts';
import type { TreeAnswer, TreeQuestion } from './bounded-trees.ts';

const port = parentPort;
if (port === null) throw new Error('tree-worker.ts is opened as a worker thread');
const { majors } = workerData as { readonly majors: readonly number[] };
const parsers = new Map<number, Parser>();
for (const major of majors) if (isParserMajor(major)) parsers.set(major, await Parser.open(major));

port.on('message', (question: TreeQuestion) => void answer(question));
port.postMessage('ready');

async function answer({ id, major, text }: TreeQuestion): Promise<void> {
  const parser = parsers.get(major);
  await parser?.ready();
  let told: TreeAnswer;
  try {
    if (parser === undefined) throw new ParseFailure('unavailable', `no grammar of PostgreSQL ${major}`);
    // text is cheaper to hand over than a million small objects
    told = { id, tree: JSON.stringify(parser.parse(text)) };
  } catch (error) {
    told = { id, failure: error instanceof ParseFailure ? error.message : 'the syntax tree is too deep' };
  }
  port?.postMessage(told);
}
