/** Two ends of the private channel on loopback, with certificates of a throw-away authority. */
import 'reflect-metadata';
import { webcrypto, type X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { systemClock } from '#client/clock';
import { silentLog } from '#client/log';
import { openDialer } from '#engine/channel/dialer';
import { openListener } from '#engine/channel/listener';
import type { Channel, Dialer, DialerOptions, Listener, ListenerOptions, Peer, PeerKind, TlsIdentity } from '#engine/channel/parts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;

export interface ChannelAuthority {
  readonly ca: string;
  /** Certificate and key of a peer; name, kind and targets stand in its subject. */
  issue(peer: { name: string; kind: PeerKind; targets?: readonly string[]; notBeforeMs?: number; notAfterMs?: number }): Promise<TlsIdentity>;
}

export async function makeChannelAuthority(): Promise<ChannelAuthority> {
  x509.cryptoProvider.set(webcrypto as never);
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const now = Date.now();
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=Interlock test CA',
    serialNumber: '01',
    notBefore: new Date(now - DAY_MS),
    notAfter: new Date(now + 30 * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [new x509.BasicConstraintsExtension(true, 0, true), new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true)],
  });
  let serial = 1;
  return {
    ca: ca.toString('pem'),
    async issue({ name, kind, targets = [], notBeforeMs = now - DAY_MS, notAfterMs = now + DAY_MS }) {
      const own = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
      const certificate = await x509.X509CertificateGenerator.create({
        subject: `CN=${name}, OU=${kind}, O=${targets.join('+')}`,
        issuer: ca.subject,
        serialNumber: (++serial).toString(16).padStart(4, '0'),
        notBefore: new Date(notBeforeMs),
        notAfter: new Date(notAfterMs),
        signingAlgorithm: ALGORITHM,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        extensions: [new x509.ExtendedKeyUsageExtension([kind === 'engine' ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth])],
      });
      const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', own.privateKey)).toString('base64');
      const key = `-----BEGIN PRIVATE KEY-----\n${pkcs8.match(/.{1,64}/g)?.join('\n')}\n-----END PRIVATE KEY-----\n`;
      return { cert: certificate.toString('pem'), key, ca: ca.toString('pem') };
    },
  };
}

/** Reads what `issue` wrote. */
export function peerOf(certificate: X509Certificate): Peer {
  const field = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(certificate.subject)?.[1] ?? '';
  return {
    name: field('CN'),
    kind: field('OU') as PeerKind,
    targets: field('O')
      .split('+')
      .filter((target) => target !== ''),
    fingerprint: `sha256:${certificate.fingerprint256.replaceAll(':', '').toLowerCase()}`,
  };
}

export interface Pair extends AsyncDisposable {
  readonly authority: ChannelAuthority;
  readonly listener: Listener;
  readonly dialer: Dialer;
  /** The dialer's end, and the listener's. */
  readonly here: Channel;
  readonly there: Channel;
}

export const LOOPBACK = { host: '127.0.0.1', port: 0 } as const;
export const PARTS = { authorise: peerOf, clock: systemClock, log: silentLog, software: 'test' } as const;

export async function channelPair(
  options: { readonly listener?: Partial<ListenerOptions>; readonly dialer?: Partial<DialerOptions>; readonly targets?: readonly string[] } = {},
): Promise<Pair> {
  const authority = await makeChannelAuthority();
  const engine = await authority.issue({ name: 'engine-1', kind: 'engine' });
  const enforcer = await authority.issue({ name: 'shop-1', kind: 'enforcer', targets: options.targets ?? ['shop'] });
  const opened = Promise.withResolvers<Channel>();
  const listener = await openListener({ listen: LOOPBACK, tls: () => engine, ...PARTS, onChannel: opened.resolve, ...options.listener });
  const dialer = openDialer({ engines: [`127.0.0.1:${listener.address.port}`], tls: () => enforcer, ...PARTS, ...options.dialer });
  const here = await dialer.ready(5_000);
  const there = await opened.promise;
  const dispose = async (): Promise<void> => {
    await dialer.close();
    await listener.close();
  };
  return { authority, listener, dialer, here, there, [Symbol.asyncDispose]: dispose };
}
