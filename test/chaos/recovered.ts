/** C4: what a killed process left opens, ends what was cut short, and verifies. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '#client/clock';
import { openJournal } from '#engine/journal/file-journal';
import { loadCheckpointKey } from '#engine/journal/keys';
import { verifyJournal } from '#engine/journal/verify';
import type { Finding } from './checks.ts';

export interface Recovery {
  readonly findings: readonly Finding[];
  /** Statements that were recorded as cleared and got `unknown`: the fault came while they ran. */
  readonly unknown: number;
}

/**
 * @param stateDir of the process that wrote it, which must not run
 * @param usesElsewhere an enforcer's journal has what it cleared, and its engine's what was given: `checkUses` holds them together
 */
export async function recoverAndVerify(stateDir: string, dir: string, usesElsewhere = false): Promise<Recovery> {
  const { key } = loadCheckpointKey(join(stateDir, 'keys', 'checkpoint'));
  const checkpoint = { everyMs: 60_000, key, origin: 'interlock/chaos' };
  let unknown = 0;
  try {
    const journal = await openJournal({ dir, segmentBytes: 1 << 20, payloads: 'clear', checkpoint, clock: systemClock, version: 'chaos' });
    ({ unknown } = journal.recovered);
    await journal.close('chaos');
  } catch (error) {
    return { findings: [{ check: 'C4 the journal verifies', detail: `recovery: ${String(error)}` }], unknown };
  }
  return { findings: await verified(stateDir, dir, usesElsewhere), unknown };
}

/** With the public key alone. */
export async function verified(stateDir: string, dir: string, usesElsewhere = false): Promise<readonly Finding[]> {
  const { publicKeyFile } = loadCheckpointKey(join(stateDir, 'keys', 'checkpoint'));
  const { problems } = await verifyJournal(dir, readFileSync(publicKeyFile, 'utf8'));
  const own = problems.filter(({ code }) => !usesElsewhere || code !== 'APPROVAL_NOT_CONSUMED');
  return own.map(({ seq, code, detail }) => ({ check: 'C4 the journal verifies', detail: `record ${seq}: ${code}: ${detail}` }));
}
