import { Option, type Command } from 'commander';
import { EXIT, InterlockError } from '#schemas/errors';
import { loadConfig } from '../../config/load.ts';
import { readCatalog } from '../catalog-file.ts';
import { described, runs, type Common } from '../command.ts';
import { targetOf } from '../door.ts';
import { MAJORS } from '../majors.ts';
import type { Output } from '../output.ts';

interface Options extends Common {
  readonly dialect: 'postgresql' | 'http' | 'mcp';
  readonly target?: string;
  readonly major: string;
  readonly catalog?: string;
  readonly database: string;
}

export function factsCommand(): Command {
  return described({
    name: 'facts',
    summary: 'what the parser knows of a statement on standard input: exactly what policies see as `input.sql`, `input.http` or `input.mcp`',
    examples: [
      ['echo "DELETE FROM payments" | interlock facts --major 15', 'one statement, as a JSON document'],
      ["printf 'SELECT 1\\0SELECT 2' | interlock facts", 'several, separated by NUL: one JSON object a line'],
      ['interlock facts --dialect http < refund.http', 'a request: its line, headers, an empty line, the body'],
      ['interlock facts --dialect http --target billing-api < refund.http', 'with the description that the configuration names'],
      ['interlock facts --dialect mcp --target tools < call.json', 'a message of JSON-RPC, with the pinned tools'],
    ],
  })
    .addOption(new Option('--dialect <dialect>', 'whose grammar').choices(['postgresql', 'http', 'mcp']).default('postgresql'))
    .addOption(new Option('--major <major>', 'which version of it').choices(MAJORS).default(MAJORS[0]))
    .option('--catalog <file>', 'a reading of a target’s catalog, JSON; without it names are taken as written')
    .option('--target <name>', 'an API or MCP server of the configuration: what is known of it counts')
    .option('--database <name>', 'the database that the session is in', 'postgres')
    .action(runs(facts));
}

async function facts(output: Output, options: Options): Promise<number> {
  if (options.dialect !== 'postgresql') return await factsOfMessage(output, options, options.dialect);
  const { PostgresFacts } = await import('../../facts/postgres/reader.ts');
  const major = Number(options.major);
  const context = {
    major,
    database: options.database,
    settings: {},
    catalog: options.catalog === undefined ? null : await readCatalog(options.catalog),
  };
  const reader = new PostgresFacts({ majors: [major] });
  try {
    const texts = statements(process.stdin);
    const first = await texts.next();
    if (first.done === true) throw new InterlockError('USAGE', 'nothing on standard input');
    const indented = !output.json && process.stdout.isTTY && first.value.alone;
    const answer = await reader.read(first.value.text, context);
    await output.line(answer, () => [JSON.stringify(answer, null, indented ? 2 : 0)]);
    for await (const { text } of texts) {
      const next = await reader.read(text, context);
      await output.line(next, () => [JSON.stringify(next)]);
    }
    return EXIT.ok;
  } finally {
    await reader.close();
  }
}

/** One message: it may hold NUL. */
async function factsOfMessage(output: Output, { target: name, config: file }: Options, dialect: 'http' | 'mcp'): Promise<number> {
  const { readFactsOf } = await import('../../facts/readers.ts');
  const { PostgresFacts } = await import('../../facts/postgres/reader.ts');
  const { httpBytes, mcpBytes } = await import('../decide/message-file.ts');
  const target = name === undefined ? null : targetOf(await loadConfig(file), name);
  if (target !== null && target.protocol !== dialect) throw new InterlockError('USAGE', `\`${target.name}\` speaks ${target.protocol}`);
  const { knowledge = null } = target === null ? {} : await (await import('../decide/input.ts')).knownOf(target);
  const given = await wholeOf(process.stdin);
  const text = dialect === 'http' ? httpBytes(given, target?.http?.headers ?? {}) : mcpBytes(given).bytes;
  const sql = new PostgresFacts({ majors: [Number(MAJORS[0])] });
  try {
    const context = { dialect, target: name ?? '', major: Number(MAJORS[0]), database: '', settings: {}, catalog: null, knowledge };
    const answer = await readFactsOf(sql, () => null)(text, context);
    await output.line(answer, () => [JSON.stringify(answer, null, !output.json && process.stdout.isTTY ? 2 : 0)]);
    return EXIT.ok;
  } finally {
    await sql.close();
  }
}

async function wholeOf(input: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of input) {
    size += chunk.length;
    if (size > TEXT_BYTES_MAX) throw new InterlockError('USAGE', 'a message on standard input is longer than 64 MiB');
    chunks.push(chunk);
  }
  if (size === 0) throw new InterlockError('USAGE', 'nothing on standard input');
  return Buffer.concat(chunks);
}

const TEXT_BYTES_MAX = 64 * 1024 * 1024;

/** Texts between NULs, as they come; what follows the last NUL counts when there is something. */
async function* statements(input: AsyncIterable<Uint8Array>): AsyncGenerator<{ readonly text: Uint8Array; readonly alone: boolean }> {
  let held: Buffer[] = [];
  let size = 0;
  let count = 0;
  for await (const chunk of input) {
    let rest = Buffer.from(chunk);
    for (let nul = rest.indexOf(0); nul !== -1; nul = rest.indexOf(0)) {
      count += 1;
      yield { text: Buffer.concat([...held, rest.subarray(0, nul)]), alone: false };
      [held, size, rest] = [[], 0, rest.subarray(nul + 1)];
    }
    held.push(rest);
    size += rest.length;
    if (size > TEXT_BYTES_MAX) throw new InterlockError('USAGE', 'a statement on standard input is longer than 64 MiB');
  }
  if (size > 0) yield { text: Buffer.concat(held), alone: count === 0 };
}
