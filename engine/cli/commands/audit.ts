import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { EXIT, InterlockError } from '#schemas/errors';
import type { Verification } from '../../journal/verify.ts';
import { described, runs, type Common } from '../command.ts';
import { escapeText } from '../escape.ts';
import { requireJournal } from '../journal.ts';
import type { Output } from '../output.ts';
import { auditSearchCommand } from './audit-search.ts';

interface Options extends Common {
  readonly dir: string;
  readonly key: string;
  readonly witness?: string;
}

export function auditCommand(): Command {
  const verifying = described({
    name: 'verify',
    summary: 'is the record whole? needs the journal and the public key, nothing else; exit 1 when it is not',
    examples: [
      [
        'interlock audit verify --dir .interlock/journal --key .interlock/keys/checkpoint.pub',
        'edits, deletions, reordering and truncation are found',
      ],
    ],
  })
    .requiredOption('--dir <journal>', 'the journal')
    .requiredOption('--key <public-key>', 'the public key that its checkpoints are signed with')
    .option('--witness <note>', 'a checkpoint that was kept elsewhere: the journal must begin with what it covers')
    .action(runs(verify));
  const exporting = described({
    name: 'export',
    summary: 'every event as NDJSON, with the texts and parameters that it refers to where they are still present',
    examples: [['interlock audit export --dir .interlock/journal > record.ndjson', 'for another system']],
  })
    .requiredOption('--dir <journal>', 'the journal')
    .action(runs(exportAll));
  return new Command('audit')
    .description('the record: verify, export, search')
    .addCommand(verifying)
    .addCommand(exporting)
    .addCommand(auditSearchCommand());
}

async function verify(output: Output, options: Options): Promise<number> {
  await requireJournal(options.dir);
  const { verifyJournal } = await import('../../journal/verify.ts');
  const witness = options.witness === undefined ? {} : { witness: await text(options.witness) };
  const result = await verifyJournal(options.dir, await text(options.key), witness);
  output.document(result, () => report(result));
  return result.verified ? EXIT.ok : EXIT.no;
}

const PROBLEMS_SHOWN = 20;

function report(result: Verification): readonly string[] {
  const { verified, records, sessions, checkpoints, first, last, cut_bytes, problems } = result;
  const extent = `${records} records of ${sessions} sessions, ${checkpoints} checkpoints, ${first ?? '-'} to ${last ?? '-'}`;
  const torn = cut_bytes === 0 ? [] : [`${cut_bytes} bytes at the end were never acknowledged (a crash), and count for nothing`];
  if (verified) return [`verified: ${extent}`, ...torn];
  const shown = problems
    .slice(0, PROBLEMS_SHOWN)
    .map(({ seq, code, detail }) => `  ${seq < 0 ? 'journal' : `record ${seq}`}  ${code}  ${escapeText(detail)}`);
  return [
    `NOT VERIFIED: ${problems.length} problem${problems.length === 1 ? '' : 's'} in ${extent}`,
    ...shown,
    ...(problems.length > PROBLEMS_SHOWN ? [`  and ${problems.length - PROBLEMS_SHOWN} more (--json has them)`] : []),
    ...torn,
  ];
}

async function exportAll(_output: Output, options: Options): Promise<number> {
  await requireJournal(options.dir);
  const { exportJournal } = await import('../../journal/export.ts');
  for await (const line of exportJournal(options.dir))
    if (!process.stdout.write(line)) await new Promise((resolve) => process.stdout.once('drain', resolve));
  return EXIT.ok;
}

async function text(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new InterlockError('USAGE', `${file}: cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`, { cause: error });
  }
}
