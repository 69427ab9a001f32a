import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { PackedFile } from './tar.ts';

/** Every file below a folder, by its path below it. Links are not followed, and are nothing to pack. */
export function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

export function packed(file: string): PackedFile {
  return { bytes: readFileSync(file), executable: (statSync(file).mode & 0o100) !== 0 };
}
