/** A throw-away certificate authority: RSA is not needed, ECDSA P-256 works with every client (Ed25519 with SCRAM fails in psql 15). */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}
export interface Authority {
  /** PEM of the authority itself: what clients trust. */
  readonly caFile: string;
  /** Issues a server certificate for loopback; files are `<name>.crt` and `<name>.key` (0600). */
  issue(name: string, more?: { /** Also for connecting, as the nodes of a cluster do. */ readonly connects?: boolean }): Promise<Certificate>;
}

/** Writes `ca.crt` into `dir`; the authority's own key never leaves memory. */
export async function makeAuthority(dir: string): Promise<Authority> {
  x509.cryptoProvider.set(webcrypto as never);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const now = Date.now();
  const validity = { notBefore: new Date(now - DAY_MS), notAfter: new Date(now + 30 * DAY_MS), signingAlgorithm: ALGORITHM };
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=Interlock demo CA',
    serialNumber: '01',
    ...validity,
    keys,
    extensions: [new x509.BasicConstraintsExtension(true, 0, true), new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true)],
  });
  const caFile = join(dir, 'ca.crt');
  writeFileSync(caFile, ca.toString('pem'));
  let serial = 1;
  return {
    caFile,
    async issue(name, { connects = false } = {}) {
      const own = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
      const certificate = await x509.X509CertificateGenerator.create({
        subject: `CN=${name}`,
        issuer: ca.subject,
        serialNumber: `0${++serial}`,
        ...validity,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        extensions: [
          new x509.SubjectAlternativeNameExtension([
            { type: 'dns', value: 'localhost' },
            { type: 'ip', value: '127.0.0.1' },
          ]),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, ...(connects ? [x509.ExtendedKeyUsage.clientAuth] : [])]),
        ],
      });
      const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', own.privateKey)).toString('base64');
      const files = { certFile: join(dir, `${name}.crt`), keyFile: join(dir, `${name}.key`) };
      writeFileSync(files.certFile, certificate.toString('pem'));
      writeFileSync(files.keyFile, `-----BEGIN PRIVATE KEY-----\n${pkcs8.match(/.{1,64}/g)?.join('\n')}\n-----END PRIVATE KEY-----\n`, {
        mode: 0o600,
      });
      return files;
    },
  };
}
