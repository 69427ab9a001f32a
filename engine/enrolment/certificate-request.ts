/** A request for a certificate (PKCS #10, RFC 2986): the enforcer's public key, its name, and the proof that it holds the private one. Nothing is asked for. */
import { createHash, createPublicKey, webcrypto } from 'node:crypto';
import { InterlockError } from '#schemas/errors';
import { LIMITS } from './limits.ts';
import { ALGORITHM, x509 } from './x509.ts';

export interface OwnKey {
  /** PKCS #8, PEM. */
  readonly pem: string;
  readonly pair: webcrypto.CryptoKeyPair;
}

export async function makeKey(): Promise<OwnKey> {
  const pair = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  return { pem: privatePem(await webcrypto.subtle.exportKey('pkcs8', pair.privateKey)), pair };
}

/** DER. */
export async function makeRequest(name: string, { pair }: OwnKey): Promise<Buffer> {
  const request = await x509.Pkcs10CertificateRequestGenerator.create({ name: `CN=${name}`, keys: pair, signingAlgorithm: ALGORITHM });
  return Buffer.from(request.rawData);
}

export interface Requested {
  /** SPKI, DER. */
  readonly publicKey: Buffer;
  /** `sha256:…` of it. */
  readonly keyDigest: string;
}

/**
 * What is wrong with a request is refused, not left out: whoever asks for more than a certificate for its key and name is no enforcer of ours.
 * @throws InterlockError CERTIFICATE_REFUSED
 */
export async function checkRequest(der: Uint8Array, name: string): Promise<Requested> {
  if (der.length > LIMITS.requestBytes) refuse(`is longer than ${LIMITS.requestBytes} bytes`);
  if (endOf(der) !== der.length) refuse('is not one whole document');
  const request = parsed(der);
  if (request.subject !== `CN=${name}`) refuse('names somebody else');
  if (request.attributes.length > 0 || request.extensions.length > 0) refuse('asks for more than a certificate for its key');
  const publicKey = Buffer.from(request.publicKey.rawData);
  requireP256(publicKey);
  if (!(await request.verify().catch(() => false))) refuse('is not signed by its own key');
  return { publicKey, keyDigest: `sha256:${createHash('sha256').update(publicKey).digest('hex')}` };
}

/** Of the outermost value (X.690 §8.1.3): the parser reads that and lets stand what is behind it. -1: it is no sequence. */
function endOf(der: Uint8Array): number {
  const [tag, length = 0, high = 0, low = 0] = der;
  if (tag !== 0x30) return -1;
  if (length < 0x80) return 2 + length;
  if (length === 0x81) return 3 + high;
  return length === 0x82 ? 4 + high * 256 + low : -1;
}

function parsed(der: Uint8Array): InstanceType<typeof x509.Pkcs10CertificateRequest> {
  try {
    return new x509.Pkcs10CertificateRequest(Uint8Array.from(der));
  } catch {
    return refuse('is none');
  }
}

function requireP256(spki: Buffer): void {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    if (asymmetricKeyType === 'ec' && asymmetricKeyDetails?.namedCurve === 'prime256v1') return;
  } catch {
    // said below: whatever OpenSSL does not read is no key either
  }
  refuse('is for a key that is not of P-256');
}

function refuse(what: string): never {
  throw new InterlockError('CERTIFICATE_REFUSED', `the request for a certificate ${what}`);
}

function privatePem(pkcs8: ArrayBuffer): string {
  const lines =
    Buffer.from(pkcs8)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
}
