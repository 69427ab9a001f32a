/** The two halves of `up`, each in a process of its own. */
import type { Command } from 'commander';
import { systemClock } from '#client/clock';
import { described, runs } from '../command.ts';
import { consoleFolder } from '../console-folder.ts';
import type { LoadedConfig } from '../../config/config.ts';
import { foreground, type ForegroundOptions } from '../foreground.ts';

interface EnforceOptions extends ForegroundOptions {
  readonly join?: string;
}

export function apartCommands(): readonly Command[] {
  return [engineCommand(), enforceCommand()];
}

function engineCommand(): Command {
  return described({
    name: 'engine',
    summary: 'the engine alone, in the foreground: policies, approvals, identity, credentials, API and console, for enforcers elsewhere',
    examples: [
      ['interlock engine -c /etc/interlock/engine.yaml --ready /run/interlock/engine.json', 'for a service manager'],
      ['interlock enforcer add shop-1 --target shop', 'prints the code with which an enforcer joins'],
    ],
  })
    .option('--ready <file>', 'written, whole, when every listener accepts')
    .action(
      runs<ForegroundOptions>((output, options) =>
        foreground(output, options, async (config, parts) => {
          const { engine } = await import('../../engine.ts');
          return await engine(config, { ...parts, console: consoleFolder(parts.log) });
        }),
      ),
    );
}

function enforceCommand(): Command {
  return described({
    name: 'enforce',
    summary: 'one enforcer alone, in the foreground, beside its target; it asks the engines that its file names',
    examples: [
      ['interlock enforce shop -c /etc/interlock/shop.yaml', 'once it has joined'],
      ['interlock enforce shop -c /etc/interlock/shop.yaml --join ilj1.shop-1.…', 'joins first, where nobody has; later starts pass the code over'],
      ['interlock enforce shop -c /etc/interlock/shop.yaml --ready /run/interlock/shop.json', 'for a service manager'],
    ],
  })
    .argument('<target>', 'one of the targets in the configuration')
    .option('--ready <file>', 'written, whole, when it accepts clients')
    .option('--join <code>', 'what `interlock enforcer add` printed; used where no enforcer has joined yet')
    .action(
      runs<EnforceOptions>((output, options, [target = '']) =>
        foreground(output, options, async (config, parts) => {
          if (options.join !== undefined) await joinOnce(config, options.join);
          const { beside } = await import('../../beside.ts');
          return await beside(config, target, parts);
        }),
      ),
    );
}

/** A service manager starts it with the same words each time: who has joined stays who they are. */
async function joinOnce({ enforcer }: LoadedConfig, code: string): Promise<void> {
  if (enforcer === null) return; // refused by name where it is started
  const { hasJoined } = await import('../../enrolment/identity.ts');
  if (await hasJoined(enforcer.identityDir)) return;
  const { join } = await import('../../enrolment/join.ts');
  await join({ dir: enforcer.identityDir, engines: enforcer.engines, code, clock: systemClock });
}
