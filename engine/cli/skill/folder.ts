/** A skill's folder on disk: the key is readable by its owner alone, and nothing that is there already is overwritten by mistake. */
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InterlockError } from '#schemas/errors';
import type { AgentKey } from './keys.ts';
import { skillDocument, type Told } from './document.ts';
import { TOKEN_SCRIPT } from './token-script.ts';

export const KEY_FILE = 'key.jwk';

/** @throws InterlockError USAGE: something stands there */
export async function requireFree(folder: string): Promise<void> {
  if (await exists(folder)) throw new InterlockError('USAGE', `${folder}: is there already`, { hint: 'Name another folder with --out.' });
}

export async function writeKey(folder: string, { secret }: AgentKey): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeWhole(join(folder, KEY_FILE), `${JSON.stringify(secret)}\n`, 0o600);
  await rm(join(folder, '.token.json'), { force: true });
}

export interface Written extends Told {
  /** PEM that the API's certificate is checked with; null: the system's roots, or no TLS. */
  readonly apiCa: string | null;
}

/** Everything but the key. */
export async function writeSkill(folder: string, { apiCa, ...told }: Written): Promise<void> {
  const { agent, claims, ways, issuer } = told;
  await mkdir(join(folder, 'scripts'), { recursive: true, mode: 0o700 });
  const about = {
    agent: agent.name,
    subject: agent.subject,
    issuer,
    token_endpoint: `${issuer}/oauth/token`,
    key_id: agent.key_id,
    ...(apiCa !== null && { ca: 'api-ca.pem' }),
    targets: ways.map(({ target, protocol, host, port, database, url, tls }) => ({
      target,
      protocol,
      host,
      port,
      tls,
      ...(protocol === 'postgresql' ? { database, user: agent.name } : { url }),
    })),
  };
  const files: readonly (readonly [name: string, text: string, mode?: number])[] = [
    ['SKILL.md', skillDocument(told)],
    ['claims.json', `${JSON.stringify(claims, null, 2)}\n`],
    ['agent.json', `${JSON.stringify(about, null, 2)}\n`],
    ['scripts/token', TOKEN_SCRIPT, 0o755],
    ['scripts/package.json', '{ "type": "commonjs" }\n'],
    ['.gitignore', `${KEY_FILE}\n.token.json*\n`],
    ...(apiCa === null ? [] : [['api-ca.pem', apiCa] as const]),
    ...ways.flatMap(({ target, ca }) => (ca === null ? [] : [[`${target}-ca.pem`, ca] as const])),
  ];
  for (const [name, text, mode = 0o644] of files) await writeWhole(join(folder, name), text, mode);
}

async function writeWhole(file: string, text: string, mode: number): Promise<void> {
  const draft = `${file}.${process.pid}.draft`;
  try {
    await writeFile(draft, text, { mode, flag: 'wx' });
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw new InterlockError('CONFIG_INVALID', `${file}: cannot be written (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`, {
      cause: error,
    });
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
