#!/usr/bin/env node
/** The `interlock` command. Each command is a file in commands/; what it needs of the engine it imports when it runs. */
import { Command, CommanderError } from 'commander';
import { EXIT } from '#schemas/errors';
import { countBuffersWithTheHeap } from './buffers.ts';
import { apartCommands } from './commands/apart.ts';
import { approvalsCommand } from './commands/approvals.ts';
import { auditCommand } from './commands/audit.ts';
import { connectCommand } from './commands/connect.ts';
import { consoleCommand } from './commands/console.ts';
import { decideCommand } from './commands/decide.ts';
import { doctorCommand } from './commands/doctor.ts';
import { enforcerCommand } from './commands/enforcer.ts';
import { eventsCommand } from './commands/events.ts';
import { factsCommand } from './commands/facts.ts';
import { initCommand } from './commands/init.ts';
import { mcpCommand } from './commands/mcp.ts';
import { natsCommand } from './commands/nats.ts';
import { notifyCommand } from './commands/notify.ts';
import { policyCommand } from './commands/policy.ts';
import { projectionCommand } from './commands/projection.ts';
import { runCommand } from './commands/run.ts';
import { sessionsCommand } from './commands/sessions.ts';
import { skillCommand } from './commands/skill.ts';
import { stateCommand } from './commands/state.ts';
import { statusCommand } from './commands/status.ts';
import { tokenCommand } from './commands/token.ts';
import { upCommand } from './commands/up.ts';
import { tell } from './output.ts';
import { version } from './version.ts';

countBuffersWithTheHeap();

process.stdout.on('error', endQuietly);
await main(process.argv);

async function main(argv: readonly string[]): Promise<void> {
  try {
    await interlock().parseAsync(argv);
  } catch (error) {
    process.exitCode = error instanceof CommanderError ? usageExit(error) : tell(error, asksForJson(argv));
  }
}

function interlock(): Command {
  const program = new Command('interlock')
    .description('Policy-as-code between people or AI agents and production systems: parse, judge, approve, mask, record.')
    .version(version(), '-V, --version')
    .addHelpText(
      'after',
      `\nExit codes: 0 done · 1 the answer is no · 2 usage · 3 configuration or policy · 4 cannot reach · 5 not authenticated or not permitted · 70 our fault\nStart with \`interlock init\`. Every command takes --json and explains itself with --help.\n`,
    );
  const commands = [
    initCommand(),
    upCommand(),
    ...apartCommands(),
    enforcerCommand(),
    tokenCommand(),
    skillCommand(),
    connectCommand(),
    runCommand(),
    decideCommand(),
    factsCommand(),
    approvalsCommand(),
    notifyCommand(),
    consoleCommand(),
    sessionsCommand(),
    eventsCommand(),
    auditCommand(),
    projectionCommand(),
    natsCommand(),
    mcpCommand(),
    policyCommand(),
    doctorCommand(),
    statusCommand(),
    stateCommand(),
  ];
  for (const command of commands) program.addCommand(command);
  overAll(program, (command) =>
    command
      .exitOverride()
      .configureHelp({ helpWidth: process.stdout.columns ?? 100 })
      .showSuggestionAfterError(true),
  );
  return program;
}

/** Commander's settings are taken over by sub-commands only when it makes them itself. */
function overAll(command: Command, apply: (command: Command) => void): void {
  apply(command);
  for (const child of command.commands) overAll(child, apply);
}

/** Commander has said what is wrong. */
function usageExit(error: CommanderError): number {
  return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
}

function asksForJson(argv: readonly string[]): boolean {
  const own = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  return own.includes('--json');
}

/** `interlock events | head`: the reader has enough. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  throw error;
}
