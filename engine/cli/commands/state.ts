import { Command } from 'commander';
import { systemClock } from '#client/clock';
import { EXIT } from '#schemas/errors';
import type { LoadedConfig } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import { readSecret } from '../../config/secret.ts';
import type { JournalAtHand } from '../../operations/state/state.ts';
import { described, runs, type Common } from '../command.ts';
import { escapeText } from '../escape.ts';
import type { Output } from '../output.ts';
import { announced } from '../running.ts';
import { version } from '../version.ts';

interface ExportOptions extends Common {
  readonly output: string;
  readonly passphraseFile?: string;
}

interface ImportOptions extends Common {
  readonly passphraseFile?: string;
  readonly acceptOlder?: boolean;
}

const PASSPHRASE = ['--passphrase-file <file>', 'file with the passphrase that it is sealed with, 12 characters or more'] as const;

export function stateCommand(): Command {
  const exporting = described({
    name: 'export',
    summary: 'keys, authority, issuer, counters of revisions as one file; the journal is not in it, only its position',
    examples: [
      ['interlock state export -o state.backup --passphrase-file backup.pass', 'sealed: of use to nobody without the passphrase'],
      ['interlock state export -o state.backup', 'in clear, mode 0600: whoever reads it has every key'],
    ],
  })
    .requiredOption('-o, --output <file>', 'written whole, mode 0600')
    .option(...PASSPHRASE)
    .action(runs(goExport));
  const importing = described({
    name: 'import',
    summary: 'an export into an empty state directory; nothing is overwritten',
    examples: [['interlock state import state.backup --passphrase-file backup.pass', 'then start the gateway: it goes on with the same keys']],
  })
    .argument('<file>', 'the export')
    .option(...PASSPHRASE)
    .option('--accept-older', 'though policies, keys or enforcers changed after it was made')
    .action(runs(goImport));
  return new Command('state').description('backup of the state directory: export, import').addCommand(exporting).addCommand(importing);
}

async function goExport(output: Output, options: ExportOptions): Promise<number> {
  const config = await loadConfig(options.config);
  const { exportState } = await import('../../operations/state/state.ts');
  const exported = await exportState({
    places: placesOf(config),
    role: config.role,
    version: version(),
    clock: systemClock,
    journal: await journalAtHand(),
    passphrase: await passphraseOf(options.passphraseFile),
    revision: await runningRevision(config),
    to: options.output,
  });
  if (exported.form === 'plain') output.say('The export is not sealed: whoever can read it has every key of this installation.');
  output.document(exported, () => [
    `${exported.files} files, ${exported.form}, in ${escapeText(exported.file)}`,
    exported.journal === null
      ? 'there is no journal yet'
      : `the journal stands at record ${exported.journal.records}; back it up by its archive or a copy`,
  ]);
  return EXIT.ok;
}

async function goImport(output: Output, options: ImportOptions, [file = '']: readonly string[]): Promise<number> {
  const config = await loadConfig(options.config);
  const { importState } = await import('../../operations/state/state.ts');
  const imported = await importState({
    places: placesOf(config),
    role: config.role,
    journal: await journalAtHand(),
    passphrase: await passphraseOf(options.passphraseFile),
    from: file,
    acceptOlder: options.acceptOlder === true,
  });
  output.document(imported, () => [
    `${imported.files} files of ${imported.created_at} in ${escapeText(config.stateDir)}`,
    ...(imported.changes_since === 0 ? [] : [`${imported.changes_since} later changes of policies, keys or enforcers are not in it`]),
  ]);
  return EXIT.ok;
}

function placesOf({
  stateDir,
  journal,
  enforcer,
}: LoadedConfig): Parameters<typeof import('../../operations/state/state.ts').exportState>[0]['places'] {
  return { stateDir, journalDir: journal.dir, checkpointKey: journal.checkpoint.keyFile, identityDir: enforcer?.identityDir ?? null };
}

async function passphraseOf(file: string | undefined): Promise<string | null> {
  return file === undefined ? null : await readSecret({ kind: 'file', path: file });
}

async function runningRevision(config: LoadedConfig): Promise<string | null> {
  try {
    return (await announced(config)).revision;
  } catch {
    return null; // none runs, which is as good a moment
  }
}

async function journalAtHand(): Promise<JournalAtHand> {
  const { newestCheckpoint } = await import('../../journal/checkpoints.ts');
  const { JournalReader } = await import('../../journal/reader.ts');
  return {
    newest: (dir) => newestCheckpoint(dir),
    // what an export holds and the journal tells of: revisions that were taken, enforcers and their keys
    changesSince: async (dir, records, revision) => {
      await using reader = new JournalReader(dir, { after: records - 1 });
      let changes = 0;
      let inForce = revision;
      for await (const event of reader.read()) {
        if (event.type.startsWith('enforcer.')) changes += 1;
        if (event.type !== 'policy.activated') continue;
        if (inForce !== null && event.revision !== inForce) changes += 1; // a start takes the same one again
        inForce = event.revision;
      }
      return changes;
    },
  };
}
