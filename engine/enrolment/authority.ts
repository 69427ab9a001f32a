/**
 * The installation's own certificate authority: whom engine and enforcers believe, and nobody else. Its key never leaves the engine's state
 * directory but by the operator's hand: every engine of an installation has the same two files.
 */
import { createHash, createPrivateKey, hkdfSync, type KeyObject, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { mkdir, open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#client/clock';
import { makePrivateFile } from '#client/private-file';
import { InterlockError } from '#schemas/errors';
import { makeKey } from './certificate-request.ts';
import { type Holder, urisOf } from './certificate-names.ts';
import { LIMITS } from './limits.ts';
import { ALGORITHM, x509 } from './x509.ts';

export interface Authority {
  readonly certificate: X509Certificate;
  readonly pem: string;
  /** SHA-256 of its DER: what join codes carry. */
  readonly fingerprint: Buffer;
  issue(ask: IssueAsk): Promise<Issued>;
  /** 32 bytes that every engine of the installation comes to, and nobody else: HKDF-SHA-256 of the private key. @param purpose one key is for one */
  keyFor(purpose: string): Uint8Array;
}

export interface IssueAsk {
  readonly holder: Holder;
  /** SPKI, DER. */
  readonly publicKey: Uint8Array;
  readonly lifeMs: number;
}

export interface Issued {
  readonly pem: string;
  /** Hexadecimal. */
  readonly serial: string;
  readonly notAfterMs: number;
}

/** Beside the other keys of the state directory. */
export const AUTHORITY_FILES = { key: 'authority.key', certificate: 'authority.crt' } as const;
const FOLDER = 0o700;
const PRIVATE = 0o600;

/**
 * Reads it, or makes it at first use.
 * @param dir `keys` of the state directory
 * @throws InterlockError STATE_MODE when others can read the key; CONFIG_INVALID when the files are not a P-256 key and its certificate
 */
export async function openAuthority(dir: string, clock: Clock): Promise<Authority> {
  await mkdir(dir, { recursive: true, mode: FOLDER });
  const files = { key: join(dir, AUTHORITY_FILES.key), certificate: join(dir, AUTHORITY_FILES.certificate) };
  if (!(await exists(files.key))) await make(files, clock);
  await requirePrivate(files.key);
  const pem = await readFile(files.certificate, 'utf8').catch((cause: unknown) => broken(`${files.certificate} cannot be read`, cause));
  const keyPem = await readFile(files.key, 'utf8');
  return authority(pem, keyPem, files, clock);
}

async function authority(pem: string, keyPem: string, files: { key: string; certificate: string }, clock: Clock): Promise<Authority> {
  const certificate = readCertificate(pem, files.certificate);
  const key = readKey(keyPem, files.key);
  if (!certificate.ca || !certificate.checkPrivateKey(key)) broken(`${files.certificate} is not the certificate of ${files.key}`);
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' });
  const signingKey = await webcrypto.subtle.importKey('pkcs8', Uint8Array.from(pkcs8), ALGORITHM, false, ['sign']);
  const own = new x509.X509Certificate(Uint8Array.from(certificate.raw));
  return {
    certificate,
    pem: certificate.toString(),
    fingerprint: createHash('sha256').update(certificate.raw).digest(),
    issue: (ask) => issue(ask, own, signingKey, clock),
    keyFor: (purpose) => keyFor(key, purpose),
  };
}

const KEY_BYTES = 32;

/** From the number itself: the same whichever way the file writes it. */
function keyFor(key: KeyObject, purpose: string): Uint8Array {
  const { d = '' } = key.export({ format: 'jwk' });
  return new Uint8Array(hkdfSync('sha256', Buffer.from(d, 'base64url'), '', `interlock ${purpose}`, KEY_BYTES));
}

async function issue(
  { holder, publicKey, lifeMs }: IssueAsk,
  own: x509.X509Certificate,
  signingKey: webcrypto.CryptoKey,
  clock: Clock,
): Promise<Issued> {
  const nowMs = Math.floor(clock.wallUs() / 1000);
  const serial = serialNumber();
  // X.509 knows whole seconds
  const notAfterMs = Math.floor((nowMs + lifeMs) / 1000) * 1000;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial,
    subject: `CN=${holder.name}`,
    issuer: own.subject,
    notBefore: new Date(nowMs - LIMITS.skewMs),
    notAfter: new Date(notAfterMs),
    signingAlgorithm: ALGORITHM,
    publicKey: new x509.PublicKey(Uint8Array.from(publicKey)),
    signingKey: signingKey as never,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage[holder.kind === 'engine' ? 'serverAuth' : 'clientAuth']], true),
      new x509.SubjectAlternativeNameExtension(urisOf(holder).map((value) => ({ type: 'url', value }))),
      await x509.AuthorityKeyIdentifierExtension.create(own),
    ],
  });
  return { pem: `${certificate.toString('pem')}\n`, serial, notAfterMs };
}

/** 128 random bits; positive, as DER wants it. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

async function make(files: { key: string; certificate: string }, clock: Clock): Promise<void> {
  const nowMs = Math.floor(clock.wallUs() / 1000);
  const { pem, pair } = await makeKey();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=Interlock installation ${randomBytes(4).toString('hex')}`,
    notBefore: new Date(nowMs - LIMITS.skewMs),
    notAfter: new Date(nowMs + LIMITS.authorityMs),
    signingAlgorithm: ALGORITHM,
    keys: pair as never,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(pair.publicKey as never),
    ],
  });
  // the certificate first: a crash between the two leaves no key, and both are made again
  await write(files.certificate, `${certificate.toString('pem')}\n`);
  makePrivateFile(files.key, pem);
}

async function write(path: string, text: string): Promise<void> {
  await using handle = await open(path, 'w', PRIVATE);
  await handle.writeFile(text);
  await handle.chmod(PRIVATE); // the umask may have taken bits, a default ACL given some
  await handle.sync();
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? false : broken(`${path} cannot be read`, error)),
  );
}

async function requirePrivate(path: string): Promise<void> {
  const mode = (await stat(path)).mode & 0o777;
  if ((mode & ~PRIVATE) !== 0)
    throw new InterlockError('STATE_MODE', `${path}: mode is 0${mode.toString(8)}; allowed: 0600 or stricter`, { hint: `chmod 0600 ${path}` });
}

function readCertificate(pem: string, path: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    return broken(`${path} holds no certificate`, cause);
  }
}

function readKey(pem: string, path: string): ReturnType<typeof createPrivateKey> {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
  } catch (cause) {
    return broken(`${path} holds no private key`, cause);
  }
  return broken(`${path} holds no P-256 key`);
}

function broken(message: string, cause?: unknown): never {
  throw new InterlockError('CONFIG_INVALID', message, { cause });
}
