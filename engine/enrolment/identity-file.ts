/** What an enforcer keeps: one file, 0600, with its private key, its certificate and the authority. Replaced whole, so that the three always fit. */
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { chmod, mkdir, open, readFile, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { InterlockError } from '#schemas/errors';
import { type Holder, holderOf } from './certificate-names.ts';

export interface Kept {
  /** PEM, all three. */
  readonly key: string;
  readonly certificate: string;
  readonly authority: string;
  /** Public keys, none or several. */
  readonly trusted: string;
}

export interface Identity extends Kept {
  readonly holder: Extract<Holder, { kind: 'enforcer' }>;
  readonly own: X509Certificate;
  readonly ca: X509Certificate;
}

const PRIVATE = 0o600;
const FOLDER = 0o700;
const FILE_BYTES_MAX = 65_536;
const block = (label: string): string => `-----BEGIN ${label}-----\n[A-Za-z0-9+/=\n]+-----END ${label}-----\n`;
const BLOCKS = new RegExp(`^(${block('PRIVATE KEY')})(${block('CERTIFICATE')})(${block('CERTIFICATE')})((?:${block('PUBLIC KEY')})*)$`);

/** null: nobody joined here yet. @throws InterlockError STATE_MODE, CONFIG_INVALID */
export async function readIdentity(file: string): Promise<Identity | null> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? null : broken(file, error)));
  if (found === null) return null;
  const mode = found.mode & 0o777;
  if ((mode & ~PRIVATE) !== 0)
    throw new InterlockError('STATE_MODE', `${file}: mode is 0${mode.toString(8)}; allowed: 0600 or stricter`, { hint: `chmod 0600 ${file}` });
  if (found.size > FILE_BYTES_MAX) return broken(file);
  const [, key, certificate, authority, trusted = ''] = BLOCKS.exec(await readFile(file, 'utf8')) ?? [];
  if (key === undefined || certificate === undefined || authority === undefined) return broken(file);
  return checkKept({ key, certificate, authority, trusted }) ?? broken(file);
}

export async function writeIdentity(file: string, kept: Kept): Promise<void> {
  await writePrivate(file, textOf(kept));
}

function textOf({ key, certificate, authority, trusted }: Kept): string {
  return `${key}${certificate}${authority}${trusted}`;
}

/** By rename: a crash leaves the old one or the new one. */
export async function writePrivate(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: FOLDER });
  const draft = `${file}.new`;
  {
    await using handle = await open(draft, 'w', PRIVATE);
    await handle.chmod(PRIVATE);
    await handle.writeFile(text);
    await handle.sync();
  }
  await rename(draft, file);
  await chmod(file, PRIVATE);
  await using folder = await open(dirname(file), 'r');
  await folder.sync();
}

/** null: key, certificate and authority do not belong together, or the certificate is no enforcer's. */
export function checkKept(kept: Kept): Identity | null {
  // what would not be read again is not kept
  if (!BLOCKS.test(textOf(kept))) return null;
  try {
    const own = new X509Certificate(kept.certificate);
    const ca = new X509Certificate(kept.authority);
    for (const pem of publicKeys(kept.trusted)) createPublicKey(pem);
    const holder = holderOf(own);
    if (holder?.kind !== 'enforcer' || !own.checkPrivateKey(createPrivateKey(kept.key))) return null;
    return ca.ca && own.checkIssued(ca) && own.verify(ca.publicKey) ? { ...kept, holder, own, ca } : null;
  } catch {
    return null; // not even a key and two certificates: for the caller the same
  }
}

export function publicKeys(pem: string): readonly string[] {
  return pem.match(new RegExp(block('PUBLIC KEY'), 'g')) ?? [];
}

function broken(file: string, cause?: unknown): never {
  throw new InterlockError('CONFIG_INVALID', `${file}: is not what an enforcer keeps of its enrolment`, {
    cause,
    hint: 'Move it away and join anew, with a code of `interlock enforcer add NAME --replace`.',
  });
}
