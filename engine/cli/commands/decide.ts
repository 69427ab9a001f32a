import type { Command } from 'commander';
import { described } from '../command.ts';
export function decideCommand(): Command {
  return described({ name: 'decide', summary: '', examples: [] });
}
