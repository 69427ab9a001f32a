/** The watching half of the composition: counts, health and reports of a process, whichever of the three it is. */
import type { Enforcer } from '#enforcers/common/enforcer';
import type { Base } from './base.ts';
import type { LoadedConfig } from './config/config.ts';
import type { RedactingLog } from './config/log.ts';
import { readSecret } from './config/secret.ts';
import { located } from './located.ts';
import { listenForOperations } from './operations/listener.ts';
import { openOperations, type Operations } from './operations/operations.ts';
import type { ListenerState, MetricsAccess, OperationsParts } from './operations/parts.ts';
import { LIMITS } from './operations/limits.ts';
import { hostPort, type Enforcers } from './running.ts';
import { InterlockError } from '#schemas/errors';

/** What the process itself adds to what it stands on. */
export type OperatingFrom = Omit<OperationsParts, 'role' | 'version' | 'clock' | 'log' | 'journal' | 'targets' | 'listeners'> & {
  /** The enforcers of this process, as far as they have started. */
  readonly enforcers: () => Enforcers;
};

/** @throws InterlockError CREDENTIAL_UNAVAILABLE: the token of whoever reads the metrics */
export async function openOperating(base: Base, from: OperatingFrom): Promise<Operations> {
  const { config, clock, log, version, instruments } = base;
  const { enforcers, ...rest } = from;
  let access = await metricsAccess(config, log);
  base.reloadables.push({ keys: ['operations.metrics'], apply: async (next) => void (access = await metricsAccess(next, log)) });
  return openOperations(
    instruments,
    {
      ...rest,
      role: config.role,
      version,
      clock,
      log,
      journal: () => journalReport(base),
      ...archiveReport(base),
      targets: config.role === 'engine' ? [] : Object.keys(config.targets),
      listeners: () => enforcers().map(([target, enforcer]) => stateOf(target, enforcer, config)),
    },
    () => access,
  );
}

/** `operations.listen`, where it is set. @returns its address, null: none. @throws InterlockError PORT_TAKEN, CONFIG_INVALID */
export async function openOperationsListener({ config }: Base, operations: Operations, started: AsyncDisposableStack): Promise<string | null> {
  const { listen } = config.operations;
  if (listen === null) return null;
  const listener = await listenForOperations(listen, operations).catch(located(config, 'operations.listen'));
  started.defer(() => listener.close());
  return listener.url;
}

async function metricsAccess({ operations }: LoadedConfig, log: RedactingLog): Promise<MetricsAccess> {
  const { readers, token: source } = operations.metrics;
  if (source === null) return { readers, token: null };
  const token = await readSecret(source);
  if (token.length < LIMITS.tokenChars)
    throw new InterlockError('CONFIG_INVALID', `operations.metrics.token: is shorter than ${LIMITS.tokenChars} characters`);
  log.hide(token);
  return { readers, token };
}

function journalReport({ journal, toldKey: key }: Base): ReturnType<OperationsParts['journal']> {
  const { records, bytes, lastSyncUs } = journal.status();
  return { journal: journal.id, records, bytes, last_sync_us: lastSyncUs, fault: journal.fault?.message ?? null, key };
}

function archiveReport({ archiving, config }: Base): Pick<OperationsParts, 'archive' | 'archived' | 'alarms'> {
  const strict = Object.values(config.targets).some(({ audit }) => audit === 'strict');
  if (archiving === null) return {};
  return { archive: () => archiving.report(strict), alarms: () => archiving.alarms.open, archived: (journal) => archiving.archived(journal) };
}

function stateOf(target: string, enforcer: Enforcer, config: LoadedConfig): ListenerState {
  const { protocol, address, accepting, draining } = enforcer;
  const sessions = enforcer.sessions();
  return {
    target,
    protocol,
    address: hostPort(address),
    judging: config.role === 'enforcer' ? (config.targets[target]?.judging ?? 'local') : 'local',
    accepting,
    draining,
    sessions: sessions.length,
    held: sessions.filter(({ state }) => state === 'held').length,
  };
}
