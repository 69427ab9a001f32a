import { readFile, writeFile } from 'node:fs/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { EXIT, InterlockError } from '#schemas/errors';
import { durationMs } from '../../config/units.ts';
import type { ExportForm } from '../../journal/export.ts';
import { described, list, runs, type Common } from '../command.ts';
import { reportProof, reportSet } from '../audit-report.ts';
import { requireJournal } from '../journal.ts';
import type { Output } from '../output.ts';
import { auditSearchCommand } from './audit-search.ts';

interface Judging extends Common {
  readonly dir: readonly string[];
  readonly key: readonly string[];
}

interface Verifying extends Judging {
  readonly witness?: readonly string[];
  readonly session?: string;
  readonly silenceMax?: number;
}

interface Proving extends Judging {
  readonly out?: string;
}

interface Exporting extends Common {
  readonly dir: readonly string[];
  readonly format: ExportForm;
}

export function auditCommand(): Command {
  return new Command('audit')
    .description('the record: verify, prove, export, search')
    .addCommand(verifyCommand())
    .addCommand(proveCommand())
    .addCommand(verifyProofCommand())
    .addCommand(exportCommand())
    .addCommand(auditSearchCommand());
}

const DIR = ['--dir <folder>', 'a journal, or an archive: a folder with a folder for each journal; may be repeated', list] as const;
const KEY = ['--key <public-key>', 'the public key that checkpoints are signed with; may be repeated', list] as const;

function verifyCommand(): Command {
  return described({
    name: 'verify',
    summary: 'is the record whole? needs its files and the public keys, nothing else; exit 1 when it is not',
    examples: [
      [
        'interlock audit verify --dir .interlock/journal --key .interlock/keys/checkpoint.pub',
        'edits, deletions, reordering and truncation are found',
      ],
      [
        'interlock audit verify --dir archive --key engine.pub --key shop.pub --silence-max 5m',
        'every journal of an archive, and none may have fallen silent',
      ],
      ['interlock audit verify --dir archive --key shop.pub --session ses_…', 'one session'],
    ],
  })
    .requiredOption(...DIR)
    .requiredOption(...KEY)
    .option('--witness <note>', 'a checkpoint that was kept elsewhere: some journal must still begin with what it covers; may be repeated', list)
    .option('--session <id>', 'the journal that it stands in, and whether it is there from its first event on')
    .option(
      '--silence-max <duration>',
      'silence for longer, without the journal having been closed, is a problem; otherwise it is only told',
      silence,
    )
    .action(runs(verify));
}

function proveCommand(): Command {
  return described({
    name: 'prove',
    summary: 'writes the proof that one record stands in a journal: its bytes, the path to the root, and a signed checkpoint',
    examples: [['interlock audit prove stm_… --dir archive --key shop.pub > stm.proof', 'for somebody who has neither the journal nor this machine']],
  })
    .argument('<event>', 'SEQ, JOURNAL:SEQ, or the id of a statement')
    .requiredOption(...DIR)
    .requiredOption(...KEY)
    .option('-o, --out <file>', 'instead of stdout')
    .action(runs(prove));
}

function verifyProofCommand(): Command {
  return described({
    name: 'verify-proof',
    summary: 'does the record stand in the journal of this key? needs the proof and the key, nothing else; exit 1 when it does not',
    examples: [['interlock audit verify-proof stm.proof --key shop.pub', 'and what it says']],
  })
    .argument('<proof>', 'what `interlock audit prove` wrote')
    .requiredOption(...KEY)
    .action(runs(verifyProof));
}

function exportCommand(): Command {
  return described({
    name: 'export',
    summary: 'every event, with the texts and parameters that it refers to where they are still present; one JSON object a line',
    examples: [
      ['interlock audit export --dir .interlock/journal > record.ndjson', 'for another system'],
      ['interlock audit export --dir archive --format cloudevents', 'CloudEvents 1.0, type dev.interlock.…'],
    ],
  })
    .requiredOption(...DIR)
    .addOption(
      new Option('--format <form>', 'ndjson: events as they are; cloudevents: CloudEvents 1.0 in JSON')
        .choices(['ndjson', 'cloudevents'])
        .default('ndjson'),
    )
    .action(runs(exportAll));
}

function silence(text: string): number {
  if (!/^[0-9]{1,9}(ms|s|m|h|d)$/.test(text)) throw new InvalidArgumentError('a duration such as 5m or 1h');
  return durationMs(text);
}

async function verify(output: Output, options: Verifying): Promise<number> {
  for (const dir of options.dir) await requireJournal(dir);
  const { verifySet } = await import('../../journal/verify-set.ts');
  const { session, silenceMax: silenceMsMax } = options;
  const result = await verifySet(options.dir, await texts(options.key), {
    witness: await texts(options.witness ?? []),
    ...(session === undefined ? {} : { session }),
    ...(silenceMsMax === undefined ? {} : { silenceMsMax }),
  });
  output.document(result, () => reportSet(result));
  return result.verified ? EXIT.ok : EXIT.no;
}

async function prove(output: Output, options: Proving, [event = '']: readonly string[]): Promise<number> {
  for (const dir of options.dir) await requireJournal(dir);
  const { proveEvent } = await import('../../journal/prove.ts');
  const { text, ...proven } = await proveEvent(options.dir, event, await texts(options.key));
  if (options.out !== undefined) await writeFile(options.out, text);
  output.document(options.out === undefined ? { ...proven, proof: text } : proven, () => (options.out === undefined ? [text.trimEnd()] : []));
  return EXIT.ok;
}

async function verifyProof(output: Output, options: Judging, [file = '']: readonly string[]): Promise<number> {
  const { checkProof, readProof } = await import('../../journal/proof.ts');
  const { ed25519 } = await import('../../journal/verify-walk.ts');
  const keys = (await texts(options.key)).map(ed25519);
  const result = checkProof(readProof(await text(file)), keys);
  output.document(result, () => reportProof(result));
  return result.verified ? EXIT.ok : EXIT.no;
}

async function exportAll(_output: Output, options: Exporting): Promise<number> {
  for (const dir of options.dir) await requireJournal(dir);
  const { exportJournal } = await import('../../journal/export.ts');
  const { journalsIn } = await import('../../journal/verify-set.ts');
  for (const dir of (await Promise.all(options.dir.map(journalsIn))).flat())
    for await (const line of exportJournal(dir, options.format))
      if (!process.stdout.write(line)) await new Promise((resolve) => process.stdout.once('drain', resolve));
  return EXIT.ok;
}

function texts(files: readonly string[]): Promise<readonly string[]> {
  return Promise.all(files.map(text));
}

async function text(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new InterlockError('USAGE', `${file}: cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`, { cause: error });
  }
}
