import type { Command } from 'commander';
import { InterlockError } from '#schemas/errors';
import { described, runs } from '../command.ts';

/** The two halves of `up`: named so that scripts learn what is missing, refused by name until they exist. */
export function apartCommands(): readonly Command[] {
  return [
    described({ name: 'engine', summary: 'the engine alone (not supported yet: use `interlock up`)', examples: [] }).action(
      runs(() => notYet('engine')),
    ),
    described({ name: 'enforce', summary: 'one enforcer alone (not supported yet: use `interlock up`)', examples: [] })
      .argument('<target>')
      .action(runs(() => notYet('enforce'))),
  ];
}

function notYet(name: string): Promise<number> {
  return Promise.reject(
    new InterlockError('UNSUPPORTED', `\`interlock ${name}\` is not supported yet`, {
      hint: '`interlock up` runs engine and enforcers in one process.',
    }),
  );
}
