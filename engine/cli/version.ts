import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds what is shipped beside the code: policies/, package.json. */
export const root: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export function version(): string {
  return (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;
}
