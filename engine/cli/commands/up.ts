import type { Command } from 'commander';
import { InterlockError } from '#schemas/errors';
import type { LoadedConfig } from '../../config/config.ts';
import { described, runs } from '../command.ts';
import { consoleFolder } from '../console-folder.ts';
import { foreground, type ForegroundOptions } from '../foreground.ts';

export function upCommand(): Command {
  return described({
    name: 'up',
    summary: 'engine and enforcers in one process, in the foreground; SIGTERM drains, SIGHUP reloads',
    examples: [
      ['interlock up', 'govern what ./interlock.yaml names'],
      ['interlock up -c /etc/interlock.yaml --ready /run/interlock/ready.json', 'for a service manager'],
    ],
  })
    .option('--ready <file>', 'written, whole, when every listener accepts')
    .action(
      runs<ForegroundOptions>((output, options) =>
        foreground(output, options, async (config, parts) => {
          requireWhole(config);
          const { up } = await import('../../main.ts');
          return await up(config, { ...parts, console: consoleFolder(parts.log) });
        }),
      ),
    );
}

/** What one half of the file is for would otherwise not be there, without a word. */
function requireWhole({ file, role }: LoadedConfig): void {
  if (role === 'engine')
    throw new InterlockError('CONFIG_INVALID', `${file}: \`engine\` is for \`interlock engine\`; leave it out for \`interlock up\``);
  if (role === 'enforcer')
    throw new InterlockError('CONFIG_INVALID', `${file}: \`enforcer\` is for \`interlock enforce TARGET\`; \`interlock up\` is the engine itself`);
}
