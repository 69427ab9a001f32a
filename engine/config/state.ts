/** The state directory: 0700, keys 0600. Anything laxer refuses the start (STATE_MODE). */
import { chmod, mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InterlockError } from '#schemas/errors';

export interface StateDir {
  readonly dir: string;
  readonly keysDir: string;
}

const FOLDER = 0o700;
const KEY = 0o600;
const KEYS_MAX = 1000;

/** Makes `dir` and `dir/keys` where they are missing, and checks the modes and the owner of both and of every key. */
export async function openStateDir(dir: string): Promise<StateDir> {
  const keysDir = join(dir, 'keys');
  for (const folder of [dir, keysDir]) {
    await makeFolder(folder);
    await checkMode(folder, FOLDER);
  }
  const keys = await readdir(keysDir);
  if (keys.length > KEYS_MAX) throw new InterlockError('STATE_MODE', `${keysDir}: more than ${KEYS_MAX} files`);
  for (const key of keys) if (!key.endsWith('.pub')) await checkMode(join(keysDir, key), KEY);
  return { dir, keysDir };
}

/** For a key that stands elsewhere, too. */
export async function checkKeyFile(path: string): Promise<void> {
  await checkMode(path, KEY);
}

async function makeFolder(folder: string): Promise<void> {
  try {
    const made = await mkdir(folder, { recursive: true, mode: FOLDER });
    if (made !== undefined) await chmod(folder, FOLDER);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    throw new InterlockError('CONFIG_INVALID', `state.dir: ${folder} cannot be made (${code})`, { cause: error });
  }
}

async function checkMode(path: string, allowed: number): Promise<void> {
  const found = await stat(path);
  const mode = found.mode & 0o777;
  const owner = process.getuid?.();
  if (owner !== undefined && owner !== 0 && found.uid !== owner)
    throw new InterlockError('STATE_MODE', `${path}: belongs to user ${found.uid}, the gateway runs as ${owner}`);
  if ((mode & ~allowed) === 0) return;
  throw new InterlockError('STATE_MODE', `${path}: mode is ${octal(mode)}; allowed: ${octal(allowed)} or stricter`, {
    hint: `chmod ${octal(allowed)} ${path}`,
  });
}

function octal(mode: number): string {
  return `0${mode.toString(8).padStart(3, '0')}`;
}
