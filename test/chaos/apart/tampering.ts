/** C8: whatever is changed in the record afterwards is found with the public key alone, and the untouched copy verifies. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Random } from '#test/support/random';
import type { Finding } from '../checks.ts';
import { recordedIn } from '../recorded.ts';
import { recoverAndVerify, verified } from '../recovered.ts';
import type { ApartBed, Half } from './bed.ts';

type Change = 'flip' | 'cut' | 'swap';
/** What is done to a copy, each time to another. */
const CHANGES: readonly Change[] = ['flip', 'flip', 'flip', 'flip', 'flip', 'flip', 'cut', 'cut', 'swap', 'swap'];

/**
 * Ends that half: nobody may write while it is looked at.
 * @param blind sabotage `blind-verify`: whoever audits asks only whether the journal can be read
 */
export async function tampering(bed: ApartBed, component: Half, random: Random, blind = false): Promise<readonly Finding[]> {
  await bed.kill(component);
  const { stateDir, journalDir } = bed.places[component];
  const elsewhere = component === 'enforcer';
  const findings: Finding[] = [...(await recoverAndVerify(stateDir, journalDir, elsewhere)).findings];
  const dir = mkdtempSync(join(tmpdir(), 'interlock-flip-'));
  try {
    for (const change of CHANGES) {
      rmSync(dir, { recursive: true, force: true });
      cpSync(journalDir, dir, { recursive: true });
      const where = changed(dir, change, random);
      const found = blind ? (await recordedIn(dir)).last < 0 : (await verified(stateDir, dir, elsewhere)).length > 0;
      if (!found) findings.push({ check: 'C8 tampering is found', detail: `${change} at ${where}, and the journal verified` });
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return findings;
}

/** A segment ends in zeros that nobody wrote yet, and the spare is nothing else: they are not the record. */
function changed(dir: string, change: Change, random: Random): string {
  const segments = readdirSync(dir).filter((name) => name.endsWith('.seg'));
  const used = segments.map((name) => [name, usedOf(readFileSync(join(dir, name))).length] as const).filter(([, length]) => length > SWAPPED * 2);
  const [name, length] = random.pick(used);
  const at = random.below(length - SWAPPED * 2);
  const file = readFileSync(join(dir, name));
  if (change === 'flip') file[at] = (file[at] ?? 0) ^ (1 << random.below(8));
  else if (change === 'cut') file.fill(0, at, length);
  else {
    const first = Buffer.from(file.subarray(at, at + SWAPPED));
    file.copyWithin(at, at + SWAPPED, at + SWAPPED * 2);
    first.copy(file, at + SWAPPED);
  }
  writeFileSync(join(dir, name), file);
  return `${name}, byte ${at} of ${length}`;
}
const SWAPPED = 64;

function usedOf(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return bytes.subarray(0, end);
}
