/** C5: what is masked, and what the target is entered with, stands in nothing that leaves: what clients got, logs, journals, the archive, the broker's store, metrics. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding } from './checks.ts';
import { CANARY } from './workload.ts';

export interface Leaving {
  /** By what it is called in a finding. */
  readonly said: Readonly<Record<string, readonly (Buffer | string)[]>>;
  /** Folders whose files are looked through. */
  readonly folders: Readonly<Record<string, string>>;
}

/** @param password of the target */
export function checkSecrets({ said, folders }: Leaving, password: string): readonly Finding[] {
  const spellings = [CANARY, password].flatMap((secret) => [
    secret,
    Buffer.from(secret).toString('hex'),
    // whatever stands before it: its middle is spelled in one of three ways
    ...[0, 1, 2].map((before) =>
      Buffer.concat([Buffer.alloc(before), Buffer.from(secret)])
        .toString('base64')
        .slice(4, -4),
    ),
  ]);
  const findings: Finding[] = [];
  const look = (where: string, bytes: Buffer): void => {
    for (const [index, spelling] of spellings.entries())
      if (bytes.includes(spelling)) findings.push({ check: 'C5 no masked value leaves', detail: `${where} has spelling ${index}` });
  };
  for (const [where, pieces] of Object.entries(said)) look(where, Buffer.concat(pieces.map((piece) => Buffer.from(piece as Buffer))));
  for (const [where, folder] of Object.entries(folders)) for (const file of filesIn(folder)) look(`${where}, ${file}`, bytesOf(join(folder, file)));
  return findings;
}

function filesIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/** What is replaced by rename, or removed, while we look is there under another name, or nowhere. */
function bytesOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}
