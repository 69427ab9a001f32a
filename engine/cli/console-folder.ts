import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '#client/log';
import { root } from './version.ts';

/** In a checkout it is built where its sources changed, beside everything else; a published package brings it along. */
export async function consoleFolder(log: Log): Promise<string> {
  const builder = join(root, 'tools', 'console.ts');
  if (!existsSync(builder)) return join(root, 'engine', 'console', 'dist');
  const { ensureConsole } = await import('#tools/console');
  return await ensureConsole((line) => log.info({}, line));
}
