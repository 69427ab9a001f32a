import { open } from 'node:fs/promises';
import { InterlockError } from '#schemas/errors';

const BYTES_MAX = 16 * 1024;

/** A token as `interlock token` or an identity provider wrote it. `-` and `/dev/stdin` read standard input. */
export async function readTokenFile(file: string): Promise<string> {
  const text = (await read(file === '-' ? '/dev/stdin' : file)).trim();
  if (!/^[A-Za-z0-9._~+/=-]+$/.test(text)) throw new InterlockError('USAGE', `${file}: does not hold one token`);
  return text;
}

/** What a token says of its holder, unverified: good enough to name the login that the gateway will check. */
export function unverifiedClaims(token: string): Readonly<Record<string, unknown>> {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    if (typeof claims === 'object' && claims !== null) return claims as Record<string, unknown>;
  } catch {
    // said below
  }
  throw new InterlockError('USAGE', 'the token is not a JWT, so its login is not known', { hint: 'Pass --login.' });
}

async function read(file: string): Promise<string> {
  try {
    await using handle = await open(file, 'r');
    const bytes = Buffer.alloc(BYTES_MAX + 1);
    let size = 0;
    for (;;) {
      const { bytesRead } = await handle.read(bytes, size, bytes.length - size, null);
      size += bytesRead;
      if (bytesRead === 0 || size === bytes.length) break;
    }
    if (size > BYTES_MAX) throw new InterlockError('USAGE', `${file}: is longer than 16 KiB, so it is not a token`);
    return bytes.toString('utf8', 0, size);
  } catch (error) {
    if (error instanceof InterlockError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    throw new InterlockError('USAGE', `${file}: ${code === 'ENOENT' ? 'there is no such file' : `cannot be read (${code})`}`, { cause: error });
  }
}
