/** C8: whatever is changed in the record afterwards is found with the public key alone, and the untouched copy verifies. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Random } from '#test/support/random';
import type { Finding } from '../checks.ts';
import { recoverAndVerify, verified } from '../recovered.ts';
import type { ApartBed, Half } from './bed.ts';

const FLIPS = 10;

/** Ends that half: nobody may write while it is looked at. */
export async function tampering(bed: ApartBed, component: Half, random: Random): Promise<readonly Finding[]> {
  await bed.kill(component);
  const { stateDir, journalDir } = bed.places[component];
  const elsewhere = component === 'enforcer';
  const findings: Finding[] = [...(await recoverAndVerify(stateDir, journalDir, elsewhere)).findings];
  const dir = mkdtempSync(join(tmpdir(), 'interlock-flip-'));
  try {
    for (let flip = 0; flip < FLIPS; flip++) {
      rmSync(dir, { recursive: true, force: true });
      cpSync(journalDir, dir, { recursive: true });
      const where = flipped(dir, random);
      if ((await verified(stateDir, dir, elsewhere)).length === 0)
        findings.push({ check: 'C8 tampering is found', detail: `${where} was flipped and the journal verified` });
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return findings;
}

/** A segment ends in zeros that nobody wrote yet, and the spare is nothing else: they are not the record. */
function flipped(dir: string, random: Random): string {
  const segments = readdirSync(dir).filter((name) => name.endsWith('.seg'));
  const used = segments.map((name) => [name, usedOf(readFileSync(join(dir, name)))] as const).filter(([, bytes]) => bytes.length > 0);
  const [name, bytes] = random.pick(used);
  const at = random.below(bytes.length);
  const file = readFileSync(join(dir, name));
  file[at] = (file[at] ?? 0) ^ (1 << random.below(8));
  writeFileSync(join(dir, name), file);
  return `${name}, byte ${at} of ${bytes.length}`;
}

function usedOf(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return bytes.subarray(0, end);
}
