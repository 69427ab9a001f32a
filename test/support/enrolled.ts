/** An enforcer that has joined an engine which does not run yet: the engine's journal and keys are opened here, as it would, and closed again. */
import { existsSync } from 'node:fs';
import { join as path } from 'node:path';
import type { AddressInfo } from 'node:net';
import { systemClock } from '#client/clock';
import { Ids } from '#client/ids';
import { silentLog } from '#client/log';
import { loadConfig } from '#engine/config/load';
import { openStateDir } from '#engine/config/state';
import { openEnrolment } from '#engine/enrolment/enrolment';
import { identityFile } from '#engine/enrolment/identity';
import { join } from '#engine/enrolment/join';
import { openJournal } from '#engine/journal/file-journal';
import { loadCheckpointKey } from '#engine/journal/keys';
import { openPublishing } from '#engine/policies';
import { joinPort } from './enrolment.ts';

export interface Enrolled {
  readonly name: string;
  readonly targets: readonly string[];
  /** Where its key and certificate are to be. */
  readonly dir: string;
}

/** @param engineFile the configuration of the engine, which must not run */
export async function enrolAll(engineFile: string, enforcers: readonly Enrolled[]): Promise<void> {
  const missing = enforcers.filter(({ dir }) => !existsSync(identityFile(dir)));
  if (missing.length === 0) return;
  const config = await loadConfig(engineFile);
  await openStateDir(config.stateDir);
  const { dir, segmentBytes, payloads, checkpoint } = config.journal;
  const { key } = loadCheckpointKey(checkpoint.keyFile);
  const clock = systemClock;
  const journal = await openJournal({
    dir,
    segmentBytes,
    payloads,
    clock,
    version: '0',
    checkpoint: { everyMs: checkpoint.everyMs, key, origin: 'test' },
  });
  const { publisher, publicKeys } = await openPublishing(config, { clock, log: silentLog });
  publisher.close();
  const enrolment = await openEnrolment({
    keysDir: path(config.stateDir, 'keys'),
    journal,
    clock,
    ids: new Ids(clock),
    log: silentLog,
    trusted: () => publicKeys,
  });
  const server = await joinPort(enrolment);
  const engines = [`127.0.0.1:${(server.address() as AddressInfo).port}`];
  for (const { name, targets, dir: own } of missing) {
    const { code } = await enrolment.add({ name, targets, ttlMs: 60_000, by: 'test' });
    await join({ dir: own, engines, code, clock });
  }
  enrolment.close();
  server.close();
  await journal.close('drain');
}
