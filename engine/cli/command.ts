/** What every command has in common: `-c`, `--json`, examples in its help, and how its exit code gets out. */
import { Command, Option } from 'commander';
import { openOutput, type Output } from './output.ts';

export interface Common {
  readonly config: string;
  readonly json?: boolean;
}

export interface Described {
  readonly name: string;
  readonly summary: string;
  /** Below the options: one command a line, with what it is for. */
  readonly examples: readonly (readonly [command: string, purpose: string])[];
}

/** A command with the options that all of them take. */
export function described({ name, summary, examples }: Described): Command {
  return new Command(name)
    .description(summary)
    .summary(summary.split(/[;:]/, 1)[0] ?? '')
    .option('-c, --config <file>', 'the configuration', 'interlock.yaml')
    .option('--json', 'machine-readable: JSON on stdout, one document or one object a line')
    .addHelpText('after', exampleText(examples));
}

/** The token of who is asking, for commands that speak to a running gateway. */
export function tokenFileOption(): Option {
  return new Option('--token-file <file>', 'file with the token of who is asking').env('INTERLOCK_TOKEN_FILE');
}

/** `handler` answers the exit code; what it throws is told by main. */
export function runs<Options extends Common>(handler: (output: Output, options: Options, args: readonly string[]) => Promise<number>) {
  return async (...given: unknown[]): Promise<void> => {
    const command = given.at(-1) as Command;
    const options = command.opts<Options>();
    process.exitCode = await handler(openOutput(options.json === true), options, command.args);
  };
}

export function list(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function exampleText(examples: Described['examples']): string {
  if (examples.length === 0) return '';
  const lines = examples.map(([command, purpose]) => `  $ ${command}\n      ${purpose}`);
  return `\nExamples:\n${lines.join('\n')}\n`;
}
