import { Option, type Command } from 'commander';
import { EXIT, InterlockError } from '#schemas/errors';
import { readCatalog } from '../catalog-file.ts';
import { described, runs, type Common } from '../command.ts';
import { MAJORS } from '../majors.ts';
import type { Output } from '../output.ts';

interface Options extends Common {
  readonly dialect: 'postgresql';
  readonly major: string;
  readonly catalog?: string;
  readonly database: string;
}

export function factsCommand(): Command {
  return described({
    name: 'facts',
    summary: 'what the parser knows of a statement on standard input: exactly what policies see as `input.sql`',
    examples: [
      ['echo "DELETE FROM payments" | interlock facts --major 15', 'one statement, as a JSON document'],
      ["printf 'SELECT 1\\0SELECT 2' | interlock facts", 'several, separated by NUL: one JSON object a line'],
    ],
  })
    .addOption(new Option('--dialect <dialect>', 'whose grammar').choices(['postgresql']).default('postgresql'))
    .addOption(new Option('--major <major>', 'which version of it').choices(MAJORS).default(MAJORS[0]))
    .option('--catalog <file>', 'a reading of a target’s catalog, JSON; without it names are taken as written')
    .option('--database <name>', 'the database that the session is in', 'postgres')
    .action(runs(facts));
}

async function facts(output: Output, options: Options): Promise<number> {
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
