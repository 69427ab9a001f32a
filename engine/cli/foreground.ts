/** A process that stays in the foreground, whichever of the three it is: what it says when it is ready, and what signals do to it. */
import { CONTRACT_VERSION } from '#schemas/common';
import { EXIT } from '#schemas/errors';
import type { LoadedConfig } from '../config/config.ts';
import { checkFiles } from '../config/files.ts';
import { loadConfig } from '../config/load.ts';
import { openLog, type RedactingLog } from '../config/log.ts';
import type { Running } from '../running.ts';
import type { Common } from './command.ts';
import type { Output } from './output.ts';
import { announce, withdraw, writeWhole, type Ready } from './running.ts';
import { tellServiceManager } from './service-manager.ts';
import { version } from './version.ts';

export interface ForegroundOptions extends Common {
  readonly ready?: string;
}

/** Resolves when it has ended as asked; rejects with what kept it from starting, or ended it. */
export async function foreground(
  output: Output,
  options: ForegroundOptions,
  start: (config: LoadedConfig, parts: { readonly log: RedactingLog; readonly version: string }) => Promise<Running>,
): Promise<number> {
  const config = await loadConfig(options.config);
  await checkFiles(config);
  const log = openLog({ level: config.log.level, format: logFormat(config), secrets: [] });
  for (const notice of config.notices) log.warn({}, notice);
  const running = await start(config, { log, version: version() });
  const ended = obeySignals(running, log);
  try {
    const ready = readyDocument(running);
    await announce(config, ready);
    if (options.ready !== undefined) await writeWhole(options.ready, ready);
    output.document(ready, () => greeting(ready, config.identity.local.enabled));
    await tellServiceManager('READY=1', log);
    await running.finished;
  } finally {
    ended();
    await withdraw(config);
    await running.close();
  }
  return EXIT.ok;
}

function logFormat({ log }: LoadedConfig): 'json' | 'pretty' {
  return log.format === 'auto' ? (process.stderr.isTTY ? 'pretty' : 'json') : log.format;
}

function readyDocument({ revision, api, channel, targets, journal, publicKey }: Running): Ready {
  return {
    ready: true,
    pid: process.pid,
    version: version(),
    contract: CONTRACT_VERSION,
    revision,
    api,
    ...(channel === undefined ? {} : { channel }),
    targets,
    journal,
    public_key: publicKey,
  };
}

function greeting(ready: Ready, local: boolean): readonly string[] {
  return [
    `interlock ${ready.version} is ready`,
    ...Object.entries(ready.targets).map(([name, { protocol, address }]) => `  ${name}  ${protocol} on ${address}`),
    ...(ready.channel === undefined ? [] : [`  enforcers connect on ${ready.channel}`]),
    ...(ready.api === '' ? [] : [`  console and API on ${ready.api}`]),
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
    void tellServiceManager('STOPPING=1', log); // it does not reject
    step.catch((error: unknown) => log.error({ err: error }, 'the shutdown failed'));
  };
  const reload = (): void => {
    running.reload().catch((error: unknown) => log.error({ err: error }, 'the reload failed; what was in force stays'));
  };
  process.on('SIGTERM', drain).on('SIGINT', drain).on('SIGHUP', reload);
  return () => process.off('SIGTERM', drain).off('SIGINT', drain).off('SIGHUP', reload);
}
