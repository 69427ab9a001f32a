import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { CONTRACT_VERSION } from '#schemas/common';
import { EXIT } from '#schemas/errors';
import { checkFiles } from '../../config/files.ts';
import { loadConfig } from '../../config/load.ts';
import { openLog, type RedactingLog } from '../../config/log.ts';
import type { LoadedConfig } from '../../config/config.ts';
import type { Running } from '../../main.ts';
import { described, runs, type Common } from '../command.ts';
import type { Output } from '../output.ts';
import { announce, withdraw, writeWhole, type Ready } from '../running.ts';
import { root, version } from '../version.ts';

interface Options extends Common {
  readonly ready?: string;
}

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
    .action(runs(goUp));
}

async function goUp(output: Output, options: Options): Promise<number> {
  const config = await loadConfig(options.config);
  await checkFiles(config);
  const log = openLog({ level: config.log.level, format: logFormat(config), secrets: [] });
  for (const notice of config.notices) log.warn({}, notice);
  const { up } = await import('../../main.ts');
  const running = await up(config, { log, version: version(), console: consoleFolder(log) });
  const ended = obeySignals(running, log);
  try {
    const ready = readyDocument(running);
    await announce(config, ready);
    if (options.ready !== undefined) await writeWhole(options.ready, ready);
    output.document(ready, () => greeting(ready, config.identity.local.enabled));
    await running.finished;
  } finally {
    ended();
    await withdraw(config);
    await running.close();
  }
  return EXIT.ok;
}

/** In a checkout it is built where its sources changed, beside everything else; a published package brings it along. */
async function consoleFolder(log: RedactingLog): Promise<string> {
  const builder = join(root, 'tools', 'console.ts');
  if (!existsSync(builder)) return join(root, 'engine', 'console', 'dist');
  const { ensureConsole } = await import('#tools/console');
  return await ensureConsole((line) => log.info({}, line));
}

function logFormat({ log }: LoadedConfig): 'json' | 'pretty' {
  return log.format === 'auto' ? (process.stderr.isTTY ? 'pretty' : 'json') : log.format;
}

function readyDocument(running: Running): Ready {
  return {
    ready: true,
    pid: process.pid,
    version: version(),
    contract: CONTRACT_VERSION,
    revision: running.revision,
    api: running.api,
    targets: running.targets,
    journal: running.journal,
    public_key: running.publicKey,
  };
}

function greeting(ready: Ready, local: boolean): readonly string[] {
  return [
    `interlock ${ready.version} is ready`,
    ...Object.entries(ready.targets).map(([name, { protocol, address }]) => `  ${name}  ${protocol} on ${address}`),
    `  console and API on ${ready.api}`,
    ...(local ? ['  log in with `interlock console login --login NAME --group GROUP`'] : []),
    `  journal in ${ready.journal}, public key ${ready.public_key}`,
    `  policies ${ready.revision}`,
  ];
}

/** SIGTERM and Ctrl-C drain; a second one ends at once. SIGHUP reloads. Answers how to stop listening. */
function obeySignals(running: Running, log: RedactingLog): () => void {
  let draining = false;
  const drain = (): void => {
    const step = draining ? running.close() : running.drain();
    draining = true;
    step.catch((error: unknown) => log.error({ err: error }, 'the shutdown failed'));
  };
  const reload = (): void => {
    running.reload().catch((error: unknown) => log.error({ err: error }, 'the reload failed; what was in force stays'));
  };
  process.on('SIGTERM', drain).on('SIGINT', drain).on('SIGHUP', reload);
  return () => process.off('SIGTERM', drain).off('SIGINT', drain).off('SIGHUP', reload);
}
